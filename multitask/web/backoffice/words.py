"""What the machinery's own words mean, for the staff: calls at the provider, webhooks, books, roles."""

from typing import Any, Final

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from multitask.web.pages import statuses

_spoken_later: Any = lazy(statuses.spoken, str)

_WORDS: Final[dict[str, dict[str, Any]]] = {
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
        "payment_unapplied": _("A payment arrived that fits no escrow"),
        "processing_fee": _("The provider kept its fee"),
        "escrow_released": _("The escrow was shared out"),
        "transfer": _("The share left for the connected account"),
        "settled": _("The share became available"),
        "withdrawal_requested": _("A withdrawal was set aside"),
        "withdrawal_paid": _("The payout left for the bank"),
        "withdrawal_returned": _("The bank sent the payout back"),
        "withdrawal_failed": _("The withdrawal became available again"),
        "refund_requested": _("The refund was set aside"),
        "refund_paid": _("The provider sent the refund"),
        "refund_returned": _("The bank sent the refund back"),
        "refund_failed": _("The refund went back to where it came from"),
        "refund_retried": _("The refund moved to the next try"),
    },
    "role": {
        "": _("Not staff"),
        "support": _("Support: reads"),
        "finance": _("Finance: acts"),
        "admin": _("Admin: acts and manages the staff"),
    },
    "system": {
        "provider": _("payment provider"),
        "settlement": _("settling of what arrived"),
        "silence": _("time to answer is over"),
        "auto_release": _("release by silence"),
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
        "turned_down": _("Turned down"),
    },
    "approval_kind": {
        "refund": _("Refund"),
        "settle": _("Settlement of a dispute"),
        "release": _("Release"),
        "retry_refund": _("Another try of a refund"),
        "retry_transfer": _("Another try of a transfer"),
        "return_payment": _("Return of a payment"),
    },
    "dispute": {"open": _("Waits for a settlement"), "settled": _("Settled")},
    "source": {"escrow": _("the escrow"), "unapplied": _("a payment that fits no escrow")},
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


def of(family: str, word: str) -> str:
    """Say a word of a family; states that people know too are said as the pages say them."""
    known = _WORDS.get(family, {}).get(word)
    return str(known) if known is not None else statuses.spoken(word)


def tone(family: str, word: str) -> str:
    """Answer good, waiting, bad or plain."""
    if family in _TONES:
        return _TONES[family].get(word, "waiting" if family == "chargeback" else "plain")
    return statuses.tone(word)


def choices(family: str, *words: str) -> dict[str, Any]:
    """Words of a family for a filter, said in the reader's language when they are shown."""
    known = _WORDS.get(family, {})
    return {word: known.get(word, _spoken_later(word)) for word in words or known}
