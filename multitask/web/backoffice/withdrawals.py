"""The page of a withdrawal: where the money is, what happened, and what the books and the provider say."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.payments.models import AuditEvent, Operation, Withdrawal
from multitask.payments.payouts.withdrawals import CREATE_PAYOUT
from multitask.payments.states import OPEN_OPERATIONS, OperationState, WithdrawalState
from multitask.users.actor import Power
from multitask.web.backoffice import addresses, audit, books, roles, site
from multitask.web.backoffice.escrows import Button, Row
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS = 100


def show(request: HttpRequest, withdrawal: Withdrawal) -> HttpResponse:
    """The whole story of one withdrawal."""
    trail = AuditEvent.objects.filter(withdrawal=withdrawal).order_by("pk")
    calls = _calls(request, withdrawal)
    context = {
        "withdrawal": withdrawal,
        "where": _where(withdrawal),
        "trail": audit.lines(trail),
        "postings": books.posted_under(books.keys_of([("withdrawal", withdrawal.pk)])),
        "calls": calls,
        "operations": [call.thing for call in calls],
        "webhooks": _webhooks(withdrawal),
    }
    return site.page(request, "withdrawal.html", _("Withdrawal %(id)s") % {"id": withdrawal.pk}, context)


def _where(withdrawal: Withdrawal) -> str:
    """Say where the whole amount is."""
    told = {
        WithdrawalState.PENDING: _("Set aside in the wallet; the payout has not begun at the provider."),
        WithdrawalState.PROCESSING: _("On its way from the provider to the bank."),
        WithdrawalState.COMPLETED: _("Paid to the bank, as far as the provider knows; a bank may still send it back."),
        WithdrawalState.FAILED: _("Back in the owner's wallet, available again."),
    }
    return told[WithdrawalState(withdrawal.state)]


def _calls(request: HttpRequest, withdrawal: Withdrawal) -> list[Row]:
    calls = Operation.objects.filter(kind=CREATE_PAYOUT, subject_id=withdrawal.pk).order_by("pk")
    may_push = roles.may(request, Power.ADJUST)
    return [Row(call, _push(call) if may_push else []) for call in calls]


def _push(call: Operation) -> list[Button]:
    is_open = OperationState(call.state) in OPEN_OPERATIONS
    return [Button("push", addresses.deed("push", call.pk))] if is_open else []


def _webhooks(withdrawal: Withdrawal) -> Any:
    if not withdrawal.provider_payout_id:
        return []
    found = IncomingEvent.objects.filter(object_id=withdrawal.provider_payout_id)
    return found.defer("payload").order_by("-pk")[:MOST_EVENTS]
