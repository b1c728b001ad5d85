"""The page of a freelancer's payout account."""

from django.http import HttpRequest, HttpResponse

from multitask import ledger
from multitask.payments.books import postings
from multitask.payments.models import ConnectedAccount, Operation
from multitask.web.backoffice.base import rendering
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
        "held": held,
        "due": requirements.due(account),
        "held_calls": Operation.objects.filter(user_id=account.user_id).exclude(hold="").order_by("pk")[:NEWEST],
        "events": events.order_by("-pk")[:NEWEST],
    }
    return rendering.page(request, "payouts/account.html", str(account), context)
