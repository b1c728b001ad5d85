"""The details of audit events in words: field names as labels, minor units as amounts, codes as their labels."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.utils.translation import get_language, get_language_bidi, gettext_lazy
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.models import AuditEvent
from multitask.payments.payouts import egyptian_banks
from multitask.web.backoffice.base import labels
from multitask.web.pages.base import status_labels
from multitask.web.pages.payouts.destination_forms import ISSUERS
from multitask.web.pages.templatetags.money import day, money

# Isolates a value, which may be Latin text, within a right-to-left line.
_ISOLATE: Final = "\u2068{}\u2069"
_LABELS: Final = {
    "answer_by": gettext_lazy("To be answered by"),
    "attempts": gettext_lazy("Attempts"),
    "bank_code": gettext_lazy("Bank"),
    "bearer": gettext_lazy("Who bears it"),
    "chargeback": gettext_lazy("Chargeback"),
    "currency": gettext_lazy("Currency"),
    "destination": gettext_lazy("Payout destination"),
    "document": gettext_lazy("What the file shows"),
    "error": gettext_lazy("Last error"),
    "escrow_minor": gettext_lazy("From the escrow"),
    "event_id": gettext_lazy("Event"),
    "explanation": gettext_lazy("What it was"),
    "fee_minor": gettext_lazy("Fee"),
    "file": gettext_lazy("File"),
    "from": gettext_lazy("Before"),
    "identity": gettext_lazy("Identity"),
    "is_in_escrow": gettext_lazy("Money in escrow"),
    "is_inquiry": gettext_lazy("Only an inquiry"),
    "issuer": gettext_lazy("Wallet"),
    "kind": gettext_lazy("Kind"),
    "line": gettext_lazy("Line"),
    "masked": gettext_lazy("Number"),
    "masked_name": gettext_lazy("Legal name"),
    "masked_number": gettext_lazy("National ID number"),
    "operation": gettext_lazy("Call"),
    "operations": gettext_lazy("Calls"),
    "payee_minor": gettext_lazy("From the freelancer's share"),
    "payment": gettext_lazy("Payment"),
    "payout": gettext_lazy("Payout"),
    "provider": gettext_lazy("Provider"),
    "provider_payout": gettext_lazy("The provider's id of the payout"),
    "provider_refund": gettext_lazy("The provider's id of the refund"),
    "refund": gettext_lazy("Refund"),
    "platform_minor": gettext_lazy("Borne by the platform"),
    "reason": gettext_lazy("Reason"),
    "reference": gettext_lazy("Reference"),
    "receivable_minor": gettext_lazy("Owed by the freelancer"),
    "same_number_as": gettext_lazy("The same number as that of the users"),
    "sha256": gettext_lazy("Its SHA-256"),
    "state": gettext_lazy("State"),
    "subject": gettext_lazy("About"),
    "to": gettext_lazy("After"),
    "transaction": gettext_lazy("Transaction"),
    "usable_from": gettext_lazy("Used from"),
}
# Of a destination the same field is how it is paid to; of a webhook it is the provider's name of the event.
_KINDS: Final = frozenset({"bank", "wallet", "instapay"})
# Of a loss the same field is the part of the platform's fee that went back.
_OF_LOSSES: Final = {"fee_minor": gettext_lazy("From the platform's fee")}
_LOSSES: Final = frozenset({"loss_booked", "loss_reversed"})
_FLAGS: Final = frozenset({"is_inquiry", "is_in_escrow"})


def is_labelled(name: str) -> bool:
    """Return whether a detail has a label of its own."""
    return name in _LABELS


def spoken(event: AuditEvent) -> str:
    """Return the details as "Label: value", separated by commas; empty values and amounts of zero are left out."""
    own = _OF_LOSSES if event.event in _LOSSES else {}
    parts = [
        (own.get(name) or _LABELS.get(name) or name.replace("_", " "), _value(event, name, value))
        for name, value in sorted(event.details.items())
        if value != "" and not (name.endswith("_minor") and value == 0)
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


def _kind(value: str) -> str:
    return labels.of("destination_kind", value) if value in _KINDS else value


def _bank(value: str) -> str:
    return egyptian_banks.name(value, get_language() or "en")


def _day(value: str) -> str:
    return day(datetime.fromisoformat(value))


# The words of codes that are stored as details.
_CODES: Final[dict[str, Callable[[str], str]]] = {
    "bank_code": _bank,
    "bearer": lambda value: labels.of("bearer", value),
    "document": lambda value: labels.of("evidence_document", value),
    "explanation": lambda value: labels.of("explanation", value),
    "from": _role,
    "issuer": lambda value: str(ISSUERS.get(value, value)),
    "kind": _kind,
    "reason": status_labels.label,
    "state": lambda value: labels.of("operation", value),
    "to": _role,
    "usable_from": _day,
}


def _isolated(value: str) -> str:
    return _ISOLATE.format(value) if get_language_bidi() else value
