"""The page of a payout from the budget: its state, its calls, and what may be decided about it."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.models import Approval, Disbursement, Operation
from multitask.payments.payouts import disbursements, undecided_payouts, withdrawal_outcomes
from multitask.payments.reads import waiting_payouts
from multitask.web.backoffice.approvals.actions import decision_buttons
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.payouts.disbursement_actions import (
    CallOffWithdrawal,
    DisbursementAction,
    ExplainPaid,
    LookUpPayout,
    PayoutWasNotMade,
    PayoutWasPaid,
)


def state(row: Disbursement) -> str:
    """Return how far a payout is, in a word that has a label."""
    if row.ended_at is not None:
        return "ended"
    if row.allotted_at is not None:
        return "under_way"
    waiting = waiting_payouts.of(row, timezone.now())
    return "under_way" if waiting is None else waiting.reason.value


def show(request: HttpRequest, row: Disbursement) -> HttpResponse:
    """Show one payout."""
    calls = Operation.objects.filter(kind__in=undecided_payouts.KINDS, subject_id=row.pk).order_by("pk")
    waiting = Approval.objects.filter(
        kind=approvals.DECIDE_PAYOUT, subject=f"disbursement:{row.pk}", decided_at=None
    ).select_related("requested_by")
    approval = waiting.first()
    is_undecided = undecided_payouts.call_of(row) is not None
    context = {
        "payout": row,
        "state": state(row),
        "is_undecided": is_undecided,
        "withheld": _withheld(row),
        "approval": approval,
        "approval_buttons": [] if approval is None else decision_buttons(approval, roles.actor_of(request)),
        "calls": calls,
        "costs": None if row.fee_minor is None else Money(row.fee_minor + (row.tax_minor or 0), row.currency),
        "buttons": _buttons(request, row, is_undecided=is_undecided) if approval is None else [],
    }
    return rendering.page(request, "payouts/disbursement.html", _("Payout %(id)s") % {"id": row.pk}, context)


def _withheld(row: Disbursement) -> str:
    """Return why a payout must not be sent, or nothing."""
    reason = waiting_payouts.withheld_because(row, timezone.now())
    return "" if reason is None else labels.of("withheld", reason.value)


def _buttons(request: HttpRequest, row: Disbursement, *, is_undecided: bool) -> list[Button]:
    actions: tuple[type[DisbursementAction], ...] = ()
    if is_undecided:
        actions = (LookUpPayout, PayoutWasPaid, PayoutWasNotMade)
    elif row.withdrawal is not None and disbursements.is_waiting(row.withdrawal):
        actions = (CallOffWithdrawal,)
    elif (row.paid_after_failure_at is not None and row.paid_explained_at is None) or (
        row.withdrawal is not None and withdrawal_outcomes.needs_explanation(row.withdrawal)
    ):
        actions = (ExplainPaid,)
    return [action.button(row.pk) for action in actions if roles.may(request, action.power)]
