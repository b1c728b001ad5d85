"""The wallet: balances, why money is pending, charts, the latest transactions and withdrawals."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import onboarding
from multitask.payments.reads import history_pages, pending_reasons, trends, wallet
from multitask.payments.reads.wallet import Balances
from multitask.users.models import User
from multitask.web import charts
from multitask.web.pages.base import dates, labels
from multitask.web.pages.base.rendering import actor_of, render_page, signed_in, user_of
from multitask.web.pages.payouts import withdrawals

LATEST: Final = 6
CURVE_DAYS: Final = 90
CURVE_STEP: Final = timedelta(days=5)
MONTHS: Final = 12
# The parts of the bar, in the order in which money passes through them.
_BAR: Final = (("escrow", "escrowed"), ("pending", "pending"), ("available", "available"), ("bank", "withdrawing"))


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show the wallet, with the charts of one currency."""
    user, now = user_of(request), timezone.now()
    balances = wallet.balances(user_id=user.pk, default_currency=user.default_currency)
    charted = _charted(request, balances)
    account = onboarding.account_of(user.pk) if user.is_freelancer else None
    context: dict[str, Any] = {
        "balances": [{"held": held, "bar": _bar(held), "is_empty": not _all(held)} for held in balances],
        "charted": charted.available.currency,
        "account": account,
        "latest": [labels.history_row(row) for row in history_pages.newest(user.pk, LATEST)],
        **_charts(user, charted),
        **(_of_freelancer(request, account) if user.is_freelancer else {}),
        "is_freelancer": user.is_freelancer,
        "can_withdraw": account is not None and account.onboarding_completed,
        "now": now,
    }
    return render_page(request, "wallet/wallet.html", context)


def _charted(request: HttpRequest, balances: list[Balances]) -> Balances:
    """Return the balances to chart: of the currency asked for, else of the first currency with a history."""
    wanted = request.GET.get("currency", "")
    named = [held for held in balances if held.available.currency == wanted]
    used = [held for held in balances if held.lifetime_earnings.amount_minor or held.lifetime_spent.amount_minor]
    return (named or used or balances)[0]


def _all(held: Balances) -> int:
    """Return the sum of everything that the user has or had; zero for an unused wallet."""
    amounts = (held.available, held.pending, held.escrowed, held.withdrawing)
    return sum(amount.amount_minor for amount in (*amounts, held.lifetime_earnings, held.lifetime_spent))


def _bar(held: Balances) -> list[dict[str, Any]]:
    """Return the segments of the bar, in thousandths."""
    amounts: list[tuple[str, Money]] = [(tone, getattr(held, name)) for tone, name in _BAR]
    total, start, parts = sum(amount.amount_minor for _, amount in amounts), 0, []
    for tone, amount in amounts:
        if amount.amount_minor:
            length = max(6, amount.amount_minor * 1000 // total)
            parts.append({"tone": tone, "start": start, "length": length})
            start += length
    return parts


def _of_freelancer(request: HttpRequest, account: ConnectedAccount | None) -> dict[str, Any]:
    """Return why money is pending, and the newest withdrawals."""
    user = user_of(request)
    pending = pending_reasons.pending_funds(
        user_id=user.pk, account=account, now=timezone.now(), zone=dates.reader_zone()
    )
    newest = access.visible_withdrawals(actor_of(request)).order_by("-pk")[:LATEST]
    return {
        "holds": [{"hold": hold, "text": labels.pending_reason(hold.reason)} for hold in pending.amounts],
        "blocks": pending.blocks,
        "is_cut": pending.is_cut,
        "withdrawals": [withdrawals.view(withdrawal) for withdrawal in newest],
    }


def _charts(user: User, held: Balances) -> dict[str, Any]:
    """Return the charts: balance and earnings for users who have earned, spending for those who have only paid."""
    today = timezone.localdate()
    starts = [dates.start_of_day(day) for day in dates.month_starts(today, MONTHS)]
    months = [*starts, timezone.now()]
    currency = held.available.currency
    in_wallet = (held.lifetime_earnings, held.available, held.pending, held.withdrawing)
    if user.is_freelancer and any(amount.amount_minor for amount in in_wallet):
        moments = [months[-1] - CURVE_STEP * back for back in range(CURVE_DAYS // CURVE_STEP.days, -1, -1)]
        found = trends.of_wallet(user.pk, currency, moments=moments, months=months)
        return {
            "curve": charts.curve(found.balance),
            "months": charts.columns(charts.Series(found.earned)),
            "is_earned": True,
        }
    if held.lifetime_spent.amount_minor:
        spent = trends.spent(user.pk, currency, months=months)
        return {"months": charts.columns(charts.Series(spent)), "is_earned": False}
    return {}


urlpatterns = [
    path("wallet/", show, name="wallet"),
    *withdrawals.urlpatterns,
]
