"""The audit trail: its events as labels, and the page of one event."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.models import AuditEvent
from multitask.users.actor import Role
from multitask.web.backoffice.base import labels, links, rendering
from multitask.web.backoffice.books import audit_details
from multitask.web.pages.base import status_labels
from multitask.web.pages.escrow import timeline

# Reasons that the system records are codes, not sentences.
_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)+")
# Events that only the staff sees.
_LABELS: Final = {
    "operation_retried": gettext_lazy("A call at the provider was retried by staff"),
    "operations_swept": gettext_lazy("Overdue calls at the provider were retried by staff"),
    "webhook_replayed": gettext_lazy("A webhook was replayed"),
    "webhook_dismissed": gettext_lazy("A webhook was dismissed"),
    "explain_line_needs_approval": gettext_lazy("The explanation of a statement line waits for a second person"),
    "explain_line_approved": gettext_lazy("The explanation of a statement line was approved"),
    "explain_line_turned_down": gettext_lazy("The explanation of a statement line was rejected"),
    "line_explained": gettext_lazy("A statement line was explained by finance staff"),
    "adjust_needs_approval": gettext_lazy("An adjustment of a balance waits for a second person"),
    "adjust_approved": gettext_lazy("The adjustment of a balance was approved"),
    "adjust_turned_down": gettext_lazy("The adjustment of a balance was rejected"),
    "adjustment_reversed": gettext_lazy("The adjustment was taken back at the payment provider"),
    "write_off_needs_approval": gettext_lazy("The write-off of a receivable waits for a second person"),
    "write_off_approved": gettext_lazy("The write-off of a receivable was approved"),
    "write_off_turned_down": gettext_lazy("The write-off of a receivable was rejected"),
    "refund_client_needs_approval": gettext_lazy("The refund of a reversed share waits for a second person"),
    "refund_client_approved": gettext_lazy("The refund of a reversed share was approved"),
    "refund_client_turned_down": gettext_lazy("The refund of a reversed share was rejected"),
    "reversal_retried": gettext_lazy("The reversal of a transfer is tried again"),
    "method_saved": gettext_lazy("A card was saved"),
    "method_deleted": gettext_lazy("A saved card was deleted"),
    "staff_role_set": gettext_lazy("A staff role was changed"),
    "account_closed": gettext_lazy("The account was closed"),
    "account_reopened": gettext_lazy("The account was opened again"),
    "second_factor_removed": gettext_lazy("Two-step sign-in was switched off by staff"),
    "account_requested": gettext_lazy("A payout account was asked for"),
    "account_created": gettext_lazy("The payout account was created"),
    "account_enabled": gettext_lazy("The payout account is ready"),
    "account_ended": gettext_lazy("The payout account has ended for good"),
    "account_replaced": gettext_lazy("The payout account was replaced by another one"),
    "account_deleted": gettext_lazy("The replaced payout account was closed at the provider"),
    "account_paused": gettext_lazy("The provider has paused the payout account"),
    "account_details_due": gettext_lazy("The provider asks for more details for the payout account"),
    "customer_deleted": gettext_lazy("The customer was deleted at the provider"),
    "account_needs_attention": gettext_lazy("The payout account needs attention"),
    "account_refused": gettext_lazy("The payout account was refused"),
    "destination_added": gettext_lazy("Payout details were added"),
    "destination_removed": gettext_lazy("Payout details were removed"),
    "identity_submitted": gettext_lazy("An identity was submitted"),
    "identity_confirmed": gettext_lazy("The identity was confirmed by staff"),
    "identity_rejected": gettext_lazy("The identity was rejected by staff"),
    "identity_mismatch": gettext_lazy("The number on the document was not the one that was entered"),
    "settled_to_bank": gettext_lazy("A settlement to the bank was recorded"),
    "budget_topped_up": gettext_lazy("A top-up of the payout budget was recorded"),
    "payout_costs_booked": gettext_lazy("Costs of payouts were recorded"),
    "costs_credited": gettext_lazy("Costs of payouts that came back were recorded"),
    "budget_record_corrected": gettext_lazy("A record about the payout budget was taken back"),
    "budget_compared": gettext_lazy("The payout budget was compared with the provider by staff"),
    "budget_short": gettext_lazy("The payout budget was too small for the payouts that wait"),
    "withdrawal_waits": gettext_lazy("The withdrawal waits for the payout budget"),
    "payout_found_paid": gettext_lazy("Staff found that the provider had made the payout"),
    "payout_found_not_made": gettext_lazy("Staff found that the provider had certainly not made the payout"),
    "decide_payout_needs_approval": gettext_lazy("The decision about a payout waits for a second person"),
    "decide_payout_approved": gettext_lazy("The decision about a payout was approved"),
    "decide_payout_turned_down": gettext_lazy("The decision about a payout was rejected"),
    "withdrawal_found_paid": gettext_lazy("Staff found that the withdrawal from a closed account was paid"),
    "withdrawal_found_unpaid": gettext_lazy("Staff found that the withdrawal from a closed account was not paid"),
    "decide_withdrawal_needs_approval": gettext_lazy("The decision about a withdrawal waits for a second person"),
    "decide_withdrawal_approved": gettext_lazy("The decision about a withdrawal was approved"),
    "decide_withdrawal_turned_down": gettext_lazy("The decision about a withdrawal was rejected"),
    "payout_recorded": gettext_lazy("A payout from a closed account was recorded by staff"),
    "record_payout_needs_approval": gettext_lazy("The record of a payout waits for a second person"),
    "record_payout_approved": gettext_lazy("The record of a payout was approved"),
    "record_payout_turned_down": gettext_lazy("The record of a payout was rejected"),
    "withdrawal_requested": gettext_lazy("The withdrawal was asked for"),
    "withdrawal_completed": gettext_lazy("The payout was paid"),
    "withdrawal_failed": gettext_lazy("The payout failed; the money is available again"),
    "withdrawal_cancel_asked": gettext_lazy("The owner asked for the withdrawal's cancellation"),
    "withdrawal_called_off": gettext_lazy("The withdrawal was called off before it was sent"),
    "withdrawal_cancel_refused": gettext_lazy("The provider refused the cancellation: the money had left"),
    "withdrawal_paid_after_return": gettext_lazy("The provider paid it after the money was given back"),
    "withdrawal_paid_explained": gettext_lazy("Finance explained why it was paid after the money was given back"),
    "withdrawal_cancelled": gettext_lazy("The withdrawal was cancelled; the money is available again"),
}
_BAD: Final = frozenset({"withdrawal_failed", "account_refused", "identity_rejected", "identity_mismatch"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline, with everything that the trail holds."""

    id: int
    label: str
    at: datetime
    by: str
    role: str
    ip: str
    amount: Money | None
    note: str
    details: str
    is_bad: bool


def what(event: AuditEvent) -> str:
    """Return the event's label."""
    known = _LABELS.get(event.event)
    return str(known) if known is not None else timeline.label(event)


def is_labelled(name: str) -> bool:
    """Return whether the events of this name have a label of their own."""
    return name in _LABELS or timeline.is_labelled(name)


def actor(event: AuditEvent) -> str:
    """Return who did it; for parts of the system, their label."""
    is_system = event.actor_role == Role.SYSTEM.value
    return labels.of("system", event.actor_label) if is_system else event.actor_label


def lines(trail: Iterable[AuditEvent]) -> list[Line]:
    """Return each event as a line; staff reads every note and every IP address."""
    return [_line(event) for event in trail]


def _line(event: AuditEvent) -> Line:
    return Line(
        id=event.pk,
        label=what(event),
        at=event.at,
        by=actor(event),
        role=labels.of("actor_role", event.actor_role),
        ip=event.ip or "",
        amount=None if event.amount_minor is None else Money(event.amount_minor, event.currency),
        note=_note(event.note),
        details=audit_details.spoken(event),
        is_bad=timeline.is_bad(event) or event.event in _BAD,
    )


def _note(note: str) -> str:
    """Return what people wrote, the label of a reason that they chose, or the label of a code."""
    is_code = not status_labels.is_reason(note) and _CODE.fullmatch(note)
    return status_labels.label(note) if is_code else status_labels.reason_label(note)


def about(event: AuditEvent) -> SafeString | str:
    """Return what the event is about, as a link."""
    if event.escrow_id is not None:
        title = _("Escrow %(id)s") % {"id": event.escrow_id}
        return format_html('<a href="{}">{}</a>', links.escrow(event.escrow_id), title)
    if event.withdrawal_id is not None:
        title = _("Withdrawal %(id)s") % {"id": event.withdrawal_id}
        return format_html('<a href="{}">{}</a>', links.page("payments.withdrawal", event.withdrawal_id), title)
    if event.user_id is not None:
        title = _("User %(id)s") % {"id": event.user_id}
        return format_html('<a href="{}">{}</a>', links.page("users.user", event.user_id), title)
    return "–"


def show(request: HttpRequest, event: AuditEvent) -> HttpResponse:
    """Show one event."""
    context = {"line": _line(event), "event": event, "about": about(event)}
    return rendering.page(request, "books/audit_event.html", what(event), context)
