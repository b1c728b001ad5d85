"""Labels and colours of states and kinds that only the staff sees: calls, webhooks, postings, roles, approvals."""

from typing import Any, Final

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from multitask.web.pages.base import status_labels

_spoken_later: Any = lazy(status_labels.label, str)

_LABELS: Final[dict[str, dict[str, Any]]] = {
    "operation": {
        "pending": _("Waiting"),
        "sent": _("Under way"),
        "unknown": _("No answer yet"),
        "succeeded": _("Done"),
        "failed": _("Refused"),
    },
    "operation_kind": {
        "create_payment": _("Create the payment"),
        "cancel_payment": _("Cancel the payment"),
        "create_refund": _("Refund the client"),
        "create_transfer": _("Transfer the freelancer's share"),
        "create_payout": _("Pay out to the bank"),
        "create_account": _("Create the payout account"),
        "create_customer": _("Create the customer"),
    },
    "hold": {
        "outcome_unknown": _("Nobody can tell whether the provider did it: look at the provider, then try again"),
        "awaits_account": _("Waits until the freelancer's payout account can receive money"),
        "awaits_chargeback": _("Waits until the chargeback has ended"),
    },
    "event": {
        "received": _("Waiting"),
        "processed": _("Processed"),
        "ignored": _("Nothing to do"),
        "failed": _("Given up"),
        "quarantined": _("In quarantine"),
    },
    "posting": {
        "escrow_funded": _("The payment arrived in escrow"),
        "payment_unapplied": _("A payment that matches no escrow was received"),
        "processing_fee": _("The provider charged its fee"),
        "escrow_released": _("The escrow was released"),
        "transfer": _("The share was transferred to the connected account"),
        "settled": _("The share became available"),
        "withdrawal_requested": _("A withdrawal was reserved"),
        "withdrawal_paid": _("The payout was sent to the bank"),
        "withdrawal_returned": _("The bank sent the payout back"),
        "withdrawal_failed": _("The withdrawal became available again"),
        "refund_requested": _("The refund was reserved"),
        "refund_paid": _("The provider sent the refund"),
        "refund_returned": _("The bank sent the refund back"),
        "refund_failed": _("The refund was returned to its source"),
        "refund_retried": _("The refund was carried to the next attempt"),
    },
    "role": {
        "": _("Not staff"),
        "support": _("Support: read only"),
        "finance": _("Finance: moves money"),
        "admin": _("Admin: moves money and manages staff"),
    },
    "system": {
        "provider": _("payment provider"),
        "settlement": _("settlement"),
        "silence": _("answer deadline"),
        "auto_release": _("automatic release"),
    },
    "actor_role": {
        "client": _("client"),
        "freelancer": _("freelancer"),
        "support": _("support"),
        "finance": _("finance"),
        "admin": _("admin"),
        "system": _("the system"),
        "visitor": _("visitor"),
    },
    "approval": {
        "waiting": _("Waits for a second person"),
        "approved": _("Approved"),
        "turned_down": _("Rejected"),
    },
    "approval_kind": {
        "refund": _("Refund"),
        "settle": _("Settlement of a dispute"),
        "release": _("Release"),
        "retry_refund": _("Retry of a refund"),
        "retry_transfer": _("Retry of a transfer"),
        "return_payment": _("Return of a payment"),
    },
    "dispute": {"open": _("Waits for a settlement"), "settled": _("Settled")},
    "source": {"escrow": _("the escrow"), "unapplied": _("a payment that matches no escrow")},
}
_TONES: Final[dict[str, dict[str, str]]] = {
    "operation": {
        "pending": "waiting",
        "sent": "waiting",
        "unknown": "bad",
        "succeeded": "good",
        "failed": "bad",
    },
    "event": {"received": "waiting", "processed": "good", "failed": "bad", "quarantined": "bad"},
    "role": {"support": "good", "finance": "good", "admin": "waiting"},
    "approval": {"waiting": "waiting", "approved": "good"},
    "dispute": {"open": "bad", "settled": "good"},
    "chargeback": {"won": "good", "warning_closed": "good", "prevented": "good", "lost": "bad"},
}


def of(family: str, value: str) -> str:
    """Return the label of a value; states that the pages show too have the pages' labels."""
    known = _LABELS.get(family, {}).get(value)
    return str(known) if known is not None else status_labels.label(value)


def tone(family: str, value: str) -> str:
    """Return the colour class of a value: good, waiting, bad or plain."""
    if family in _TONES:
        return _TONES[family].get(value, "waiting" if family == "chargeback" else "plain")
    return status_labels.tone(value)


def options(family: str, *values: str) -> dict[str, Any]:
    """Return the options of a filter with their labels, translated when they are shown."""
    known = _LABELS.get(family, {})
    return {value: known.get(value, _spoken_later(value)) for value in values or known}
