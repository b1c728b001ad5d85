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
    # milestones, as the back office shows them
    "agreed": _("Agreed"),
    "started": _("In progress"),
    # escrows and refunds
    "pending_payment": _("Awaiting payment"),
    "funded": _("In escrow"),
    "disputed": _("In dispute"),
    "released": _("Released"),
    "refunded": _("Refunded"),
    "charged_back": _("Charged back"),
    "requested": _("Asked for"),
    "succeeded": _("Paid"),
    "refused": _("Refused"),
    "withdrawn": _("Taken back"),
    "settled": _("Settled"),
    # chargebacks
    "warning_needs_response": _("Inquiry: waits for our answer"),
    "warning_under_review": _("Inquiry: the bank looks at our answer"),
    "warning_closed": _("Inquiry closed"),
    "needs_response": _("Waits for our answer"),
    "under_review": _("The bank looks at our evidence"),
    "prevented": _("Prevented"),
    "won": _("Won"),
    "lost": _("Lost"),
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
# Why a refund was made, where no client has chosen it.
_OTHER_REASONS: Final = {
    "fraud_warning": _("The card's bank suspects fraud"),
    "requested_by_customer": _("The client asked for it"),
    "made_at_provider": _("Made at the payment provider"),
    "reversed_at_provider": _("The transfer was taken back at the payment provider"),
}
# Why a bank contests a payment or suspects fraud: the provider's codes.
BANK_REASONS: Final = {
    "bank_cannot_process": _("The bank cannot process the payment"),
    "check_returned": _("The check was returned"),
    "credit_not_processed": _("A promised refund did not arrive"),
    "customer_initiated": _("The customer asked the bank"),
    "debit_not_authorized": _("The customer did not authorize the debit"),
    "duplicate": _("The customer was charged twice"),
    "fraudulent": _("The cardholder did not authorize the payment"),
    "general": _("No particular reason"),
    "incorrect_account_details": _("The account details were wrong"),
    "insufficient_funds": _("The account had too little money"),
    "noncompliant": _("The payment broke a rule of the card's network"),
    "product_not_received": _("The work was not delivered"),
    "product_unacceptable": _("The work is not what was agreed"),
    "subscription_canceled": _("The customer had cancelled before"),
    "unrecognized": _("The cardholder does not recognise the payment"),
    "card_never_received": _("The card never reached its owner"),
    "fraudulent_card_application": _("The card was applied for by somebody else"),
    "made_with_counterfeit_card": _("Paid with a counterfeit card"),
    "made_with_lost_card": _("Paid with a lost card"),
    "made_with_stolen_card": _("Paid with a stolen card"),
    "misc": _("Another kind of fraud"),
    "unauthorized_use_of_card": _("The card was used without its owner's consent"),
}
_TONES: Final = {
    "good": {
        "completed",
        "funded",
        "released",
        "succeeded",
        "accepted",
        "settled",
        "won",
        "warning_closed",
        "prevented",
    },
    "waiting": {
        "pending",
        "pending_payment",
        "processing",
        "requested",
        "delivered",
        "in_progress",
        "assigned",
        "open",
        "needs_response",
        "under_review",
        "warning_needs_response",
        "warning_under_review",
    },
    "bad": {"failed", "disputed", "refused", "review", "charged_back", "lost"},
}


def is_reason(note: str) -> bool:
    """Return whether a note is the code of a reason that has a label."""
    return note in REASONS or note in _OTHER_REASONS


def reason_label(note: str) -> str:
    """Return the label of a refund reason; text that people wrote themselves is returned unchanged."""
    known = REASONS.get(note) or _OTHER_REASONS.get(note)
    return note if known is None else str(known)


def bank_reason(code: str) -> str:
    """Return why a bank contests a payment; an unknown code counts as another reason."""
    return str(BANK_REASONS.get(code, _("Another reason")))


def label(word: str) -> str:
    """Return the label of a state; an unknown state is written out."""
    known = _LABELS.get(word)
    return str(known) if known is not None else word.replace("_", " ").capitalize()


def tone(word: str) -> str:
    """Return the colour class of a state: good, waiting, bad or plain."""
    return next((name for name, words in _TONES.items() if word in words), "plain")
