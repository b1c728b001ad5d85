"""The timeline of an escrow and where its money is, as its two sides and the staff see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.payments.books import audit
from multitask.payments.models import AuditEvent
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.where import Reason, Where
from multitask.users.actor import STAFF_ROLES, Actor, Role
from multitask.web.pages.base import labels, status_labels

_LABELS: Final = {
    "payment_requested": _("The client began to pay"),
    "payment_refused": _("The payment could not be created"),
    "payment_failed": _("A payment attempt was declined"),
    "payment_cancelled": _("A payment attempt was given up"),
    "payment_review": _("A payment arrived that does not fit and is looked at"),
    "payment_try_named": _("Our staff found the payment at the payment provider"),
    "payment_sent_back": _("A payment that does not fit is sent back"),
    "funded": _("The money is in escrow"),
    "started": _("Work began"),
    "delivered": _("The work was delivered"),
    "completed": _("The client confirmed the work"),
    "released": _("The money was released"),
    "transferred": _("The freelancer's share left for their account"),
    "transfer_failed": _("The transfer was refused; our staff looks at it"),
    "transfer_retried": _("The transfer is tried again"),
    "settled": _("The freelancer can withdraw it"),
    "refund_requested": _("The client asked for a refund"),
    "refund_started": _("A refund began"),
    "refund_awaits_destination": _("The refund waits for the client's payout details"),
    "refund_needs_other_destination": _("The refund waits for other payout details of the client"),
    "refund_accepted": _("The freelancer agreed to the refund"),
    "refund_refused": _("The freelancer refused the refund"),
    "refund_granted": _("Our staff agreed to the refund"),
    "refund_denied": _("Our staff refused the refund"),
    "refund_withdrawn": _("The client took the request back"),
    "refund_needs_approval": _("A refund waits for a second person's approval"),
    "refund_approved": _("The refund was approved"),
    "refund_turned_down": _("The refund was not approved"),
    "refund_retried": _("The refund is tried again"),
    "refunded": _("The client was refunded"),
    "refund_failed": _("The refund failed"),
    "dispute_opened": _("A dispute was opened"),
    "dispute_settled": _("The dispute was settled"),
    "settle_needs_approval": _("The settlement waits for a second person's approval"),
    "settle_approved": _("The settlement was approved"),
    "settle_turned_down": _("The settlement was not approved"),
    "release_needs_approval": _("The release waits for a second person's approval"),
    "release_approved": _("The release was approved"),
    "release_turned_down": _("The release was not approved"),
    "retry_refund_needs_approval": _("Another try of the refund waits for a second person's approval"),
    "retry_refund_approved": _("Another try of the refund was approved"),
    "retry_refund_turned_down": _("Another try of the refund was not approved"),
    "retry_transfer_needs_approval": _("Another try of the transfer waits for a second person's approval"),
    "retry_transfer_approved": _("Another try of the transfer was approved"),
    "retry_transfer_turned_down": _("Another try of the transfer was not approved"),
    "return_payment_needs_approval": _("The return of a payment waits for a second person's approval"),
    "return_payment_approved": _("The return of a payment was approved"),
    "return_payment_turned_down": _("The return of a payment was not approved"),
    "task_cancelled": _("The task was called off"),
    "payment_expired": _("The payment did not come in time"),
    "cancelled": _("The escrow was closed before it was paid"),
    "chargeback_opened": _("The cardholder's bank contests the payment"),
    "chargeback_won": _("The bank decided for us"),
    "chargeback_lost": _("The bank decided for the cardholder"),
    "chargeback_warning_closed": _("The bank's inquiry was closed"),
    "chargeback_prevented": _("The chargeback was prevented"),
    "chargeback_escalated": _("The bank's inquiry became a chargeback"),
    "chargeback_withdrawn": _("The bank took the money back"),
    "chargeback_reinstated": _("The bank gave the money back"),
    "chargeback_accepted": _("Our staff accepted the chargeback"),
    "chargeback_not_accepted": _("The chargeback could not be accepted"),
    "evidence_edited": _("The evidence was edited"),
    "evidence_file_added": _("A file was added to the evidence"),
    "evidence_file_removed": _("A file was removed from the evidence"),
    "evidence_sent": _("The evidence is sent to the bank"),
    "evidence_submitted": _("The bank has our evidence"),
    "evidence_refused": _("The evidence was not accepted by the payment provider"),
    "fraud_warning_opened": _("The card's bank suspects fraud"),
    "fraud_warning_ended": _("The fraud warning has ended"),
    "fraud_warning_closed": _("The fraud warning was closed by staff"),
    "loss_booked": _("The loss was booked"),
    "loss_covered": _("A refund that failed covered the loss"),
    "loss_reversed": _("The loss was undone: the money is back"),
    "late_refund_started": _("A refund after the release began"),
    "late_refund_given_up": _("A failed refund after the release was given up"),
    "reversal_started": _("The transfer is taken back from the freelancer's account"),
    "reversal_failed": _("The transfer could not be taken back; our staff looks at it"),
    "reversal_given_up": _("The transfer was not taken back: the money stays in the payout account"),
    "give_up_reversal_needs_approval": _("Giving up the reversal waits for a second person's approval"),
    "give_up_reversal_approved": _("Giving up the reversal was approved"),
    "give_up_reversal_turned_down": _("Giving up the reversal was not approved"),
    "reversal_transfer_again": _("The share is transferred again"),
    "reversal_refund_client": _("What came back is refunded to the client"),
    "transfer_reversed": _("The transfer was taken back from the freelancer's account"),
    "reversed_outside": _("The transfer was taken back at the payment provider"),
    "reversal_replaced": _("What was taken back at the payment provider need not be taken back again"),
    "refunded_outside": _("A refund was made at the payment provider"),
    "refund_superseded": _("The request for a refund ended, since the money was refunded in another way"),
    "paid_out_outside": _("A payout was made at the payment provider"),
    "receivable_netted": _("What the freelancer owed was taken from the release"),
    "receivable_written_off": _("What the freelancer owed was written off"),
    "adjusted": _("The balance was adjusted"),
    "book_loss_needs_approval": _("The booking of the loss waits for a second person's approval"),
    "book_loss_approved": _("The booking of the loss was approved"),
    "book_loss_turned_down": _("The booking of the loss was not approved"),
    "accept_chargeback_needs_approval": _("Accepting the chargeback waits for a second person's approval"),
    "accept_chargeback_approved": _("Accepting the chargeback was approved"),
    "accept_chargeback_turned_down": _("Accepting the chargeback was not approved"),
    "late_refund_needs_approval": _("A refund after the release waits for a second person's approval"),
    "late_refund_approved": _("The refund after the release was approved"),
    "late_refund_turned_down": _("The refund after the release was not approved"),
    "refund_by_bank_needs_approval": _("A refund by bank transfer waits for a second person's approval"),
    "refund_by_bank_approved": _("The refund by bank transfer was approved"),
    "refund_by_bank_turned_down": _("The refund by bank transfer was not approved"),
    "refund_paid_by_bank": _("The client was refunded by bank transfer"),
    "refund_found_paid": _("Our staff found that the refund was made"),
    "refund_found_not_made": _("Our staff found that the refund was not made"),
    "decide_refund_needs_approval": _("The decision about a refund waits for a second person's approval"),
    "decide_refund_approved": _("The decision about a refund was approved"),
    "decide_refund_turned_down": _("The decision about a refund was not approved"),
    "refund_paid_after_failure": _("The payment provider paid a refund after it had failed; our staff looks at it"),
    "refund_paid_explained": _("Our staff explained why the refund was paid after it had failed"),
    "give_up_refund_needs_approval": _("Giving up a failed refund waits for a second person's approval"),
    "give_up_refund_approved": _("Giving up the failed refund was approved"),
    "give_up_refund_turned_down": _("Giving up the failed refund was not approved"),
    "transfer_again_needs_approval": _("A decision about the transfer waits for a second person's approval"),
    "transfer_again_approved": _("The decision about the transfer was approved"),
    "transfer_again_turned_down": _("The decision about the transfer was not approved"),
    "frozen": _("The money is held where it is"),
    "unfrozen": _("The money is free again"),
}
_BAD: Final = {
    "payment_failed",
    "payment_refused",
    "payment_review",
    "payment_expired",
    "transfer_failed",
    "refund_failed",
    "refund_refused",
    "refund_denied",
    "dispute_opened",
    "chargeback_opened",
    "chargeback_escalated",
    "chargeback_lost",
    "chargeback_withdrawn",
    "chargeback_not_accepted",
    "evidence_refused",
    "fraud_warning_opened",
    "loss_booked",
    "reversal_failed",
    "reversed_outside",
    "frozen",
}
# Events whose note by the system is a sentence of a provider or of ours, and not a code.
_EXPLAINED: Final = frozenset({"refund_failed", "payment_failed"})
_PLACES: Final = {
    Place.UNPAID: (_("Not paid yet"), "provider"),
    Place.PROVIDER: (_("With the payment provider, being confirmed"), "provider"),
    Place.ESCROW: (_("In escrow"), "escrow"),
    Place.REFUNDING: (_("On its way back to the client"), "refunded"),
    Place.REFUNDED: (_("Refunded to the client"), "refunded"),
    Place.PENDING: (_("Released, settling"), "pending"),
    Place.AVAILABLE: (_("Available to the freelancer"), "available"),
    Place.WITHDRAWING: (_("On its way to the freelancer's bank"), "bank"),
    Place.BANK: (_("Paid to the freelancer's bank"), "bank"),
    Place.RELEASED: (_("Released to the freelancer"), "available"),
    Place.FEE: (_("Platform fee"), "fee"),
    Place.CONTESTED: (_("Released, and held"), "pending"),
    Place.NETTED: (_("Used for what the freelancer owed"), "available"),
    Place.CHARGED_BACK: (_("Taken back by the client's bank"), "refunded"),
    Place.RETURNED: (_("Given back to the client after the release"), "refunded"),
}
_REASONS: Final = {
    Reason.NOT_PAID: _("Waits for the client's payment."),
    Reason.PAYMENT_PROCESSING: _("The payment provider confirms it."),
    Reason.WORK_UNDER_WAY: _("Waits until the freelancer delivers."),
    Reason.CONFIRMATION_DUE: _("Waits until the client confirms the work."),
    Reason.RELEASE_DUE: _("Waits until the client releases it."),
    Reason.TASK_CANCELLED: _("The task has ended: the client can take it back."),
    Reason.REFUND_REQUESTED: _("Waits for the freelancer's answer to the refund request."),
    Reason.DISPUTED: _("Our staff settles the dispute."),
    Reason.SECOND_PERSON: _("A decision of our staff waits for a second person."),
    Reason.CONTESTED: _("The cardholder's bank contests the payment."),
    Reason.EVIDENCE_DUE: _("The cardholder's bank contests the payment or asks about it; our staff answers the bank."),
    Reason.LOSS_TO_BOOK: _("The cardholder's bank has kept the money. Our staff settles what follows."),
    Reason.REFUND_UNDER_WAY: _("On its way back to the client."),
    Reason.REFUND_AWAITS_DESTINATION: _("It cannot go back the way you paid: choose where it goes."),
    Reason.REFUND_NEEDS_OTHER_DESTINATION: _(
        "Your payout details do not take this amount: it is too small or too large. Add another way."
    ),
    Reason.REFUND_FAILED: _("The refund did not arrive; our staff looks at it."),
    Reason.NO_ACCOUNT: _("Waits for the freelancer's payout account."),
    Reason.ENDED: _("The freelancer's payout account has ended; a new one is needed."),
    Reason.MOVING: _("It is brought to the freelancer's new payout account."),
    Reason.OUT_OF_REACH: _("It is in a payout account that was closed; our staff looks at it."),
    Reason.INCOMPLETE: _("Something is missing at the freelancer's payout account."),
    Reason.NO_BANK: _("Waits for a bank account in this currency."),
    Reason.CHECKED: _("The payment provider checks the freelancer's payout account."),
    Reason.REFUSED: _("The transfer was refused; our staff looks at it."),
    Reason.SETTLING: _("Settling at the payment provider."),
    Reason.UNDATED: _("Settling; the payment provider has not named the day yet."),
    Reason.ARRIVING: _("Settled: it becomes available within minutes."),
    Reason.AWAITS_PAYEE: _("Waits for the freelancer's payout account."),
    Reason.IDENTITY_MISSING: _("Waits for the freelancer's payout details."),
    Reason.IDENTITY_UNCONFIRMED: _("Our staff confirms who the freelancer is."),
    Reason.IDENTITY_REJECTED: _("Waits for the freelancer's payout details."),
    Reason.DESTINATION_MISSING: _("Waits for the freelancer's payout details."),
    Reason.DESTINATION_COOLING_DOWN: _("The withdrawal waits, since the payout details are new."),
    Reason.AWAITS_REVIEW: _("Our staff checks the withdrawal before it leaves."),
    Reason.AWAITS_BUDGET: _("The withdrawal waits until we have topped up our payout budget."),
    Reason.WITHDRAWAL_UNDER_WAY: _("The bank has not received it yet."),
    Reason.REVERSED: _("The transfer was reversed at the payment provider; our staff decides."),
    Reason.TRANSFER_AGAIN: _("It is transferred to the freelancer's payout account again."),
}
_NEED_DESTINATION: Final = frozenset({Reason.REFUND_AWAITS_DESTINATION, Reason.REFUND_NEEDS_OTHER_DESTINATION})


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of the timeline for display."""

    text: str
    at: datetime
    by: str
    amount: Money | None
    note: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class BarSegment:
    """One part of the money: its label, and the start and length of its segment of the bar in thousandths.

    `why` is why it is not further, empty where it has arrived, and `until` when that ends by itself. The reader has to
    add payout details if `needs_destination`.
    """

    text: str
    why: str
    until: datetime | None
    tone: str
    amount: Money
    start: int
    length: int
    needs_destination: bool


def label(event: AuditEvent) -> str:
    """Return the label of an event."""
    text = _LABELS.get(event.event)
    return str(text) if text is not None else event.event.replace("_", " ").capitalize()


def is_labelled(name: str) -> bool:
    """Return whether the events of this name have a label of their own."""
    return name in _LABELS


def is_bad(event: AuditEvent) -> bool:
    """Return whether the event is a failure."""
    return event.event in _BAD


def entries(events: Iterable[AuditEvent], reader: Actor) -> list[TimelineEntry]:
    """Return the views of the events that this reader may see."""
    return [_entry(event, reader) for event in events if audit.is_visible(reader, event)]


def _entry(event: AuditEvent, reader: Actor) -> TimelineEntry:
    """Return the view of an event for this reader; only staff sees the names of staff members."""
    amount = None if event.amount_minor is None else Money(event.amount_minor, event.currency)
    return TimelineEntry(
        text=label(event),
        at=event.at,
        by=_by(event, reader),
        amount=amount,
        note=_note(event) if audit.visible_note(reader, event) else "",
        is_bad=is_bad(event),
    )


def _note(event: AuditEvent) -> str:
    if not _is_readable(event):
        return ""
    if event.event in _EXPLAINED and event.actor_role == Role.SYSTEM.value:
        return labels.explanation(event.note)
    return status_labels.reason_label(event.note)


def _by(event: AuditEvent, reader: Actor) -> str:
    if event.actor_role == Role.SYSTEM.value:
        return ""
    by_staff = event.actor_role in {role.value for role in STAFF_ROLES}
    return str(_("our staff")) if by_staff and not reader.is_staff else event.actor_label


def _is_readable(event: AuditEvent) -> bool:
    """Return whether the note is text for people; most of the system's own notes are codes."""
    return event.actor_role != Role.SYSTEM.value or event.event in _EXPLAINED


def bar(parts: Sequence[Where], total_minor: int) -> list[BarSegment]:
    """Return where the money is and why it is not further, as the segments of a bar."""
    shown, start = [], 0
    for part in parts:
        text, tone = _PLACES[part.place]
        length = part.amount.amount_minor * 1000 // total_minor
        why = str(_REASONS.get(part.reason, ""))
        needs_destination = part.reason in _NEED_DESTINATION
        shown.append(
            BarSegment(str(text), why, part.until, tone, part.amount, start, max(length, 6), needs_destination)
        )
        start += length
    return shown
