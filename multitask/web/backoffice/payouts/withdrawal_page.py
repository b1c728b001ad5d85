"""The page of a withdrawal: where the money is, what happened, and what the books and the provider say."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask.payments.authorization import approvals
from multitask.payments.models import Approval, AuditEvent, Disbursement, Operation, Withdrawal
from multitask.payments.payouts import closed_accounts
from multitask.payments.payouts.budget import DISBURSE
from multitask.payments.payouts.withdrawal_cancellation import CANCEL_PAYOUT
from multitask.payments.payouts.withdrawal_outcomes import CREATE_PAYOUT
from multitask.payments.reads import waiting_payouts
from multitask.payments.reads.waiting_payouts import WaitingReason
from multitask.payments.states import OPEN_OPERATIONS, OperationState, WithdrawalState
from multitask.web.backoffice.approvals.actions import decision_buttons
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.books import audit_trail, ledger_pages
from multitask.web.backoffice.operations.actions import RetryCall
from multitask.web.backoffice.payouts.closed_account_actions import WithdrawalWasNotPaid, WithdrawalWasPaid
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS = 100


def show(request: HttpRequest, withdrawal: Withdrawal) -> HttpResponse:
    """Show everything about one withdrawal."""
    trail = AuditEvent.objects.filter(withdrawal=withdrawal).order_by("pk")
    payout = waiting_payouts.disbursement_of(withdrawal)
    calls = list(_calls(withdrawal, payout).order_by("pk"))
    context = {
        "withdrawal": withdrawal,
        "where": _where(withdrawal, payout),
        "payout": payout,
        "trail": audit_trail.lines(trail),
        "postings": ledger_pages.posted_under(_keys(withdrawal, payout)),
        "calls": calls,
        "buttons": _buttons(request, calls),
        "decisions": _decisions(request, withdrawal),
        "webhooks": _webhooks(withdrawal),
    }
    return rendering.page(request, "payouts/withdrawal.html", _("Withdrawal %(id)s") % {"id": withdrawal.pk}, context)


def _calls(withdrawal: Withdrawal, payout: Disbursement | None) -> QuerySet[Operation]:
    """Select the calls that pay a withdrawal out or cancel it."""
    if payout is not None:
        return Operation.objects.filter(kind=DISBURSE, subject_id=payout.pk)
    return Operation.objects.filter(kind__in=[CREATE_PAYOUT, CANCEL_PAYOUT], subject_id=withdrawal.pk)


def _keys(withdrawal: Withdrawal, payout: Disbursement | None) -> list[str]:
    """Return the keys of the postings of a withdrawal, those of its costs included."""
    keys = list(ledger_pages.keys_of([("withdrawal", withdrawal.pk)]))
    return keys if payout is None else [*keys, *ledger_pages.keys_of([("disbursement", payout.pk)])]


def _where(withdrawal: Withdrawal, payout: Disbursement | None) -> str:
    """Return where the whole amount is."""
    now = timezone.now()
    withheld = None if payout is None else waiting_payouts.withheld_because(payout, now)
    if withheld is not None:
        reason = labels.of("withheld", withheld.value)
        return _("Reserved in the wallet; the payout is withheld: %(reason)s.") % {"reason": reason}
    waiting = None if payout is None else waiting_payouts.of(payout, now)
    if waiting is not None and waiting.reason is WaitingReason.AWAITS_BUDGET:
        return _("Reserved in the wallet; the payout waits until the budget covers it.")
    if waiting is not None:
        return _("Reserved in the wallet; the payout waits for the end of its new destination's waiting time.")
    places = {
        WithdrawalState.PENDING: _("Reserved in the wallet; the provider has not begun the payout."),
        WithdrawalState.PROCESSING: _("On its way from the provider to the bank."),
        WithdrawalState.COMPLETED: _("Paid to the bank according to the provider; the bank may still return it."),
        WithdrawalState.FAILED: _("Back in the owner's wallet, available again."),
        WithdrawalState.CANCELLED: _("Back in the owner's wallet, available again."),
    }
    return places[WithdrawalState(withdrawal.state)]


def _buttons(request: HttpRequest, calls: list[Operation]) -> list[Button]:
    """Return a button for each call that is still open."""
    if not roles.may(request, RetryCall.power):
        return []
    return [RetryCall.button(call.pk) for call in calls if OperationState(call.state) in OPEN_OPERATIONS]


def _decisions(request: HttpRequest, withdrawal: Withdrawal) -> list[Button]:
    """Return the decisions about a withdrawal whose outcome the provider no longer reports."""
    actor = roles.actor_of(request)
    if not closed_accounts.is_undecided(withdrawal) or actor.is_user(withdrawal.user_id):
        return []
    waiting = Approval.objects.filter(
        kind=approvals.DECIDE_WITHDRAWAL, subject=f"withdrawal:{withdrawal.pk}", decided_at=None
    ).first()
    if waiting is not None:
        return decision_buttons(waiting, actor)
    if not roles.may(request, WithdrawalWasPaid.power):
        return []
    return [WithdrawalWasPaid.button(withdrawal.pk), WithdrawalWasNotPaid.button(withdrawal.pk)]


def _webhooks(withdrawal: Withdrawal) -> Any:
    if not withdrawal.provider_payout_id:
        return []
    found = IncomingEvent.objects.filter(object_id=withdrawal.provider_payout_id)
    return found.defer("payload").order_by("-pk")[:MOST_EVENTS]
