"""The page of a withdrawal: where the money is, what happened, and what the books and the provider say."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.payments.models import AuditEvent, Operation, Withdrawal
from multitask.payments.payouts.withdrawals import CREATE_PAYOUT
from multitask.payments.states import OPEN_OPERATIONS, OperationState, WithdrawalState
from multitask.web.backoffice.base import rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.books import audit_trail, ledger_pages
from multitask.web.backoffice.operations.actions import RetryCall
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS = 100


def show(request: HttpRequest, withdrawal: Withdrawal) -> HttpResponse:
    """Show everything about one withdrawal."""
    trail = AuditEvent.objects.filter(withdrawal=withdrawal).order_by("pk")
    calls = list(Operation.objects.filter(kind=CREATE_PAYOUT, subject_id=withdrawal.pk).order_by("pk"))
    context = {
        "withdrawal": withdrawal,
        "where": _where(withdrawal),
        "trail": audit_trail.lines(trail),
        "postings": ledger_pages.posted_under(ledger_pages.keys_of([("withdrawal", withdrawal.pk)])),
        "calls": calls,
        "buttons": _buttons(request, calls),
        "webhooks": _webhooks(withdrawal),
    }
    return rendering.page(request, "payouts/withdrawal.html", _("Withdrawal %(id)s") % {"id": withdrawal.pk}, context)


def _where(withdrawal: Withdrawal) -> str:
    """Return where the whole amount is."""
    places = {
        WithdrawalState.PENDING: _("Reserved in the wallet; the provider has not begun the payout."),
        WithdrawalState.PROCESSING: _("On its way from the provider to the bank."),
        WithdrawalState.COMPLETED: _("Paid to the bank according to the provider; the bank may still return it."),
        WithdrawalState.FAILED: _("Back in the owner's wallet, available again."),
    }
    return places[WithdrawalState(withdrawal.state)]


def _buttons(request: HttpRequest, calls: list[Operation]) -> list[Button]:
    """Return a button for each call that is still open."""
    if not roles.may(request, RetryCall.power):
        return []
    return [RetryCall.button(call.pk) for call in calls if OperationState(call.state) in OPEN_OPERATIONS]


def _webhooks(withdrawal: Withdrawal) -> Any:
    if not withdrawal.provider_payout_id:
        return []
    found = IncomingEvent.objects.filter(object_id=withdrawal.provider_payout_id)
    return found.defer("payload").order_by("-pk")[:MOST_EVENTS]
