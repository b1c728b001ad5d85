"""Addresses of the back office's pages."""

from django.db.models import Model
from django.urls import reverse


def of(row: Model) -> str:
    """Return the address of the page of a row that has one of its own."""
    return page(row._meta.label_lower, row.pk)


def page(label: str, key: object) -> str:
    """Return the address of the page of the row `key` of a model, such as `payments.escrow`."""
    return reverse(f"admin:{label.replace('.', '_')}_change", args=[key])


def escrow(escrow_id: int, part: str = "") -> str:
    """Return an escrow's page, at the part that shows one of its refunds, payments or disputes."""
    return page("payments.escrow", escrow_id) + (f"#{part}" if part else "")


def listing(label: str, query: str = "") -> str:
    """Return the address of the list of a model, narrowed by a filter."""
    return reverse(f"admin:{label.replace('.', '_')}_changelist") + (f"?{query}" if query else "")


def budget_file(record_id: int) -> str:
    """Return the address of the document of a settlement or top-up."""
    return reverse("admin:budget-file", args=[record_id])


def action(name: str, subject_id: int | None = None) -> str:
    """Return the page that asks for a reason before it carries out an action."""
    return reverse("admin:action", args=[name] if subject_id is None else [name, subject_id])
