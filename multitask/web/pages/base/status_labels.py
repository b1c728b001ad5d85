"""Labels and colours of every state that users see; a colour is never shown without its label."""

from typing import Final

from django.utils.translation import gettext_lazy as _

_LABELS: Final = {
    # tasks and applications
    "open": _("Open"),
    "assigned": _("Assigned"),
    "in_progress": _("In progress"),
    "delivered": _("Delivered"),
    "completed": _("Completed"),
    "cancelled": _("Cancelled"),
    "accepted": _("Accepted"),
    "rejected": _("Not chosen"),
    # escrows and refunds
    "pending_payment": _("Awaiting payment"),
    "funded": _("In escrow"),
    "disputed": _("In dispute"),
    "released": _("Released"),
    "refunded": _("Refunded"),
    "requested": _("Asked for"),
    "succeeded": _("Paid"),
    "refused": _("Refused"),
    "withdrawn": _("Taken back"),
    "settled": _("Settled"),
    # withdrawals and history
    "pending": _("Pending"),
    "processing": _("On its way"),
    "failed": _("Failed"),
    "review": _("Under review"),
    "returned": _("Sent back"),
    # history types
    "escrow_deposit": _("Payment into escrow"),
    "escrow_release": _("Release"),
    "platform_fee": _("Platform fee"),
    "refund": _("Refund"),
    "withdrawal": _("Withdrawal"),
    "chargeback": _("Chargeback"),
    "adjustment": _("Adjustment"),
}
# Why a client wants a refund: chosen from this list, stored as a code.
REASONS: Final = {
    "not_needed": _("The work is not needed any more"),
    "not_delivered": _("The work was not delivered"),
    "not_as_agreed": _("The work is not what was agreed"),
    "agreed": _("We agreed on it"),
    "other": _("Something else"),
}
_TONES: Final = {
    "good": {"completed", "funded", "released", "succeeded", "accepted", "settled"},
    "waiting": {
        "pending",
        "pending_payment",
        "processing",
        "requested",
        "delivered",
        "in_progress",
        "assigned",
        "open",
    },
    "bad": {"failed", "disputed", "refused", "review"},
}


def reason_label(note: str) -> str:
    """Return the label of a refund reason; text that people wrote themselves is returned unchanged."""
    return str(REASONS.get(note, note))


def label(word: str) -> str:
    """Return the label of a state; an unknown state is written out."""
    known = _LABELS.get(word)
    return str(known) if known is not None else word.replace("_", " ").capitalize()


def tone(word: str) -> str:
    """Return the colour class of a state: good, waiting, bad or plain."""
    return next((name for name, words in _TONES.items() if word in words), "plain")
