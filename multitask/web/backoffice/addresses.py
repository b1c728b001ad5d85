"""Where the page of each thing is."""

from django.db.models import Model
from django.urls import reverse


def of(thing: Model) -> str:
    """The page of a row that has one of its own."""
    return page(thing._meta.label_lower, thing.pk)


def page(label: str, key: object) -> str:
    """The page of the row `key` of a model, such as `payments.escrow`."""
    return reverse(f"admin:{label.replace('.', '_')}_change", args=[key])


def escrow(escrow_id: int, part: str = "") -> str:
    """An escrow's page, at the part that shows one of its refunds, payments or disputes."""
    return page("payments.escrow", escrow_id) + (f"#{part}" if part else "")


def listing(label: str, query: str = "") -> str:
    """The list of a model, narrowed by a filter."""
    return reverse(f"admin:{label.replace('.', '_')}_changelist") + (f"?{query}" if query else "")


def deed(name: str, subject_id: int | None = None) -> str:
    """The page that asks for a reason before it carries out a deed."""
    return reverse("admin:do", args=[name] if subject_id is None else [name, subject_id])
