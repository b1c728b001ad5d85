"""The page of a freelancer's payout account."""

from django.http import HttpRequest, HttpResponse

from multitask import ledger
from multitask.payments.authorization import approvals
from multitask.payments.books import postings
from multitask.payments.models import Approval, ConnectedAccount, Operation
from multitask.payments.payouts import closed_accounts, former_accounts, onboarding
from multitask.web.backoffice.approvals.actions import decision_buttons
from multitask.web.backoffice.base import rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.payouts.closed_account_actions import RecordPaidOut
from multitask.web.pages.payouts import requirements
from multitask.webhooks.models import IncomingEvent

NEWEST = 20


def show(request: HttpRequest, account: ConnectedAccount) -> HttpResponse:
    """Show the provider's state of the account, its balance, and the calls that wait for it."""
    code = postings.connected_account(account.provider, account.pk).code
    held = [-money for (_code, _currency), money in sorted(ledger.balances([code]).items())]
    events = IncomingEvent.objects.filter(object_id=account.provider_account_id or "-").defer("payload")
    context = {
        "account": account,
        "successor": onboarding.account_of(account.user_id, account.provider) if account.retired_at else None,
        "predecessors": [] if account.retired_at else former_accounts.of(account)[:NEWEST],
        "held": held,
        "is_out_of_reach": account.closed and any(money.amount_minor for money in held),
        "buttons": _buttons(request, account),
        "due": requirements.due(account),
        "held_calls": Operation.objects.filter(user_id=account.user_id).exclude(hold="").order_by("pk")[:NEWEST],
        "events": events.order_by("-pk")[:NEWEST],
    }
    return rendering.page(request, "payouts/account.html", str(account), context)


def _buttons(request: HttpRequest, account: ConnectedAccount) -> list[Button]:
    """Return the record of a payout from a closed account, or the decision about one that waits."""
    actor = roles.actor_of(request)
    if not account.closed or actor.is_user(account.user_id) or not closed_accounts.held(account):
        return []
    waiting = Approval.objects.filter(
        kind=approvals.RECORD_PAYOUT, subject=f"account:{account.pk}", decided_at=None
    ).first()
    if waiting is not None:
        return decision_buttons(waiting, actor)
    return [RecordPaidOut.button(account.pk)] if roles.may(request, RecordPaidOut.power) else []
