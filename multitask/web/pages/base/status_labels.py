"""Every state that people see, in words and in a colour; never in a colour alone."""

from typing import Final

from django.utils.translation import gettext_lazy as _

_WORDS: Final = {
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
# Why a client wants money back: chosen from a list, kept as a code.
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


def reasoned(note: str) -> str:
    """Say a chosen reason in the reader's language; what people wrote themselves stays as it is."""
    return str(REASONS.get(note, note))


def spoken(word: str) -> str:
    """Say a state in the reader's language; an unknown one in its own letters."""
    known = _WORDS.get(word)
    return str(known) if known is not None else word.replace("_", " ").capitalize()


def tone(word: str) -> str:
    """Answer good, waiting, bad or plain."""
    return next((name for name, words in _TONES.items() if word in words), "plain")
