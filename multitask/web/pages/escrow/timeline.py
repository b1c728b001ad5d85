"""The timeline of an escrow and where its money is, as its two sides and the staff see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.payments.books import audit
from multitask.payments.models import AuditEvent
from multitask.payments.reads.allocation import Part, Place
from multitask.users.actor import STAFF_ROLES, Actor, Role
from multitask.web.pages.base import labels, status_labels

_LABELS: Final = {
    "payment_requested": _("The client began to pay"),
    "payment_refused": _("The payment could not be created"),
    "payment_failed": _("A payment attempt was declined"),
    "payment_cancelled": _("A payment attempt was given up"),
    "payment_review": _("A payment arrived that does not fit and is looked at"),
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
    "cancelled": _("The escrow was closed before it was paid"),
    "chargeback_opened": _("The cardholder's bank contests the payment"),
    "chargeback_won": _("The bank decided for us"),
    "chargeback_lost": _("The bank decided for the cardholder"),
    "chargeback_warning_closed": _("The bank's inquiry was closed"),
    "frozen": _("The money is held where it is"),
    "unfrozen": _("The money is free again"),
}
_BAD: Final = {
    "payment_failed",
    "payment_refused",
    "payment_review",
    "transfer_failed",
    "refund_failed",
    "refund_refused",
    "refund_denied",
    "dispute_opened",
    "chargeback_opened",
    "chargeback_lost",
    "frozen",
}
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
}


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
    """One part of the money: its label, and the start and length of its segment of the bar in thousandths."""

    text: str
    tone: str
    amount: Money
    start: int
    length: int


def label(event: AuditEvent) -> str:
    """Return the label of an event."""
    text = _LABELS.get(event.event)
    return str(text) if text is not None else event.event.replace("_", " ").capitalize()


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
    if event.event == "payment_failed":
        return labels.decline(event.note)
    return status_labels.reason_label(event.note)


def _by(event: AuditEvent, reader: Actor) -> str:
    if event.actor_role == Role.SYSTEM.value:
        return ""
    by_staff = event.actor_role in {role.value for role in STAFF_ROLES}
    return str(_("our staff")) if by_staff and not reader.is_staff else event.actor_label


def _is_readable(event: AuditEvent) -> bool:
    """Return whether the note is text for people; most of the system's own notes are codes."""
    return event.actor_role != Role.SYSTEM.value or event.event in {"refund_failed", "payment_failed"}


def bar(parts: Sequence[Part], total_minor: int) -> list[BarSegment]:
    """Return where the money is, as the segments of a bar."""
    shown, start = [], 0
    for part in parts:
        text, tone = _PLACES[part.place]
        length = part.amount.amount_minor * 1000 // total_minor
        shown.append(BarSegment(str(text), tone, part.amount, start, max(length, 6)))
        start += length
    return shown
