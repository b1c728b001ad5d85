"""The details of audit events in words: field names as labels, minor units as amounts, codes as their labels."""

from collections.abc import Callable
from typing import Any, Final

from django.utils.translation import get_language_bidi, gettext_lazy
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.models import AuditEvent
from multitask.web.backoffice.base import labels
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import money

# Isolates a value, which may be Latin text, within a right-to-left line.
_ISOLATE: Final = "\u2068{}\u2069"
_LABELS: Final = {
    "answer_by": gettext_lazy("To be answered by"),
    "attempts": gettext_lazy("Attempts"),
    "bearer": gettext_lazy("Who bears it"),
    "chargeback": gettext_lazy("Chargeback"),
    "document": gettext_lazy("What the file shows"),
    "error": gettext_lazy("Last error"),
    "escrow_minor": gettext_lazy("From the escrow"),
    "event_id": gettext_lazy("Event"),
    "explanation": gettext_lazy("What it was"),
    "fee_minor": gettext_lazy("Fee"),
    "file": gettext_lazy("File"),
    "from": gettext_lazy("Before"),
    "is_in_escrow": gettext_lazy("Money in escrow"),
    "is_inquiry": gettext_lazy("Only an inquiry"),
    "kind": gettext_lazy("Kind"),
    "line": gettext_lazy("Line"),
    "operation": gettext_lazy("Call"),
    "operations": gettext_lazy("Calls"),
    "payee_minor": gettext_lazy("From the freelancer's share"),
    "payout": gettext_lazy("Payout"),
    "provider": gettext_lazy("Provider"),
    "provider_payout": gettext_lazy("The provider's id of the payout"),
    "provider_refund": gettext_lazy("The provider's id of the refund"),
    "refund": gettext_lazy("Refund"),
    "platform_minor": gettext_lazy("Borne by the platform"),
    "reason": gettext_lazy("Reason"),
    "reference": gettext_lazy("Reference"),
    "receivable_minor": gettext_lazy("Owed by the freelancer"),
    "sha256": gettext_lazy("Its SHA-256"),
    "state": gettext_lazy("State"),
    "subject": gettext_lazy("About"),
    "to": gettext_lazy("After"),
}
# Of a loss the same field is the part of the platform's fee that went back.
_OF_LOSSES: Final = {"fee_minor": gettext_lazy("From the platform's fee")}
_LOSSES: Final = frozenset({"loss_booked", "loss_reversed"})
_FLAGS: Final = frozenset({"is_inquiry", "is_in_escrow"})


def spoken(event: AuditEvent) -> str:
    """Return the details as "Label: value", separated by commas; parts of a loss that are zero are left out."""
    own = _OF_LOSSES if event.event in _LOSSES else {}
    parts = [
        (own.get(name) or _LABELS.get(name) or name.replace("_", " "), _value(event, name, value))
        for name, value in sorted(event.details.items())
        if not (name.endswith("_minor") and value == 0)
    ]
    separator = "، " if get_language_bidi() else ", "
    return separator.join(f"{label}: {_isolated(value)}" for label, value in parts)


def _value(event: AuditEvent, name: str, value: Any) -> str:
    if name.endswith("_minor"):
        return money(Money(int(value), _currency(event)))
    if name in _FLAGS:
        return _("yes") if value else _("no")
    shown = _CODES.get(name)
    return str(value) if shown is None else shown(str(value))


def _currency(event: AuditEvent) -> str:
    """Return the currency of the event's amounts, which may be another than its escrow's."""
    return event.currency or (event.escrow.currency if event.escrow is not None else "USD")


def _role(value: str) -> str:
    return labels.of("role", "" if value == "none" else value)


# The words of codes that are stored as details.
_CODES: Final[dict[str, Callable[[str], str]]] = {
    "bearer": lambda value: labels.of("bearer", value),
    "document": lambda value: labels.of("evidence_document", value),
    "explanation": lambda value: labels.of("explanation", value),
    "from": _role,
    "reason": status_labels.label,
    "state": lambda value: labels.of("operation", value),
    "to": _role,
}


def _isolated(value: str) -> str:
    return _ISOLATE.format(value) if get_language_bidi() else value
