"""The wallet: balances, why money is pending, charts, the latest transactions and withdrawals."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET

from multitask.payments.authorization import access
from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import account_status, onboarding
from multitask.payments.reads import history_pages, pending_reasons, previews, trends, waiting_payouts, wallet_views
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.wallet import Balances
from multitask.payments.reads.wallet_views import WalletView
from multitask.payments.reads.where import Reason
from multitask.users.models import User
from multitask.web import charts
from multitask.web.pages.base import dates, labels
from multitask.web.pages.base.rendering import actor_of, render_page, signed_in, user_of
from multitask.web.pages.payouts import payout_details, withdrawals

LATEST: Final = 6
CURVE_DAYS: Final = 90
CURVE_STEP: Final = timedelta(days=5)
MONTHS: Final = 12
_WAITING: Final = (Reason.DESTINATION_COOLING_DOWN, Reason.AWAITS_REVIEW, Reason.AWAITS_BUDGET)
# The colours of the bar, by place.
_TONES: Final = {
    Place.ESCROW: "escrow",
    Place.PENDING: "pending",
    Place.CONTESTED: "pending",
    Place.AVAILABLE: "available",
    Place.WITHDRAWING: "bank",
}


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show the wallet, with the charts of one currency."""
    user, now = user_of(request), timezone.now()
    account = onboarding.account_of(user.pk) if user.is_freelancer else None
    views = wallet_views.read(user_id=user.pk, default_currency=user.default_currency, now=now)
    balances = [view.held for view in views]
    charted = _charted(request, balances)
    context: dict[str, Any] = {
        "balances": [_shown(view, account) for view in views],
        "charted": charted.available.currency,
        "account": account,
        "account_status": None if account is None else account_status.of(account),
        "unreachable": [found for held in balances if (found := previews.unreachable(account, held.available))],
        "latest": [labels.history_row(row) for row in history_pages.newest(user.pk, LATEST)],
        **_charts(user, charted),
        **(_of_freelancer(request, account, pending_reasons.read(user.pk)) if user.is_freelancer else {}),
        "is_freelancer": user.is_freelancer,
        "payout_details": payout_details.summary(user, now) if _uses_platform(balances) else None,
        "connected_currency": _first_connected(balances),
        "now": now,
    }
    return render_page(request, "wallet/wallet.html", context)


def _uses_platform(balances: list[Balances]) -> bool:
    """Return whether any of the currencies is paid to payout destinations."""
    return any(waiting_payouts.is_on_platform(held.available.currency) for held in balances)


def _first_connected(balances: list[Balances]) -> str:
    """Return the first currency that is paid out from an account at the provider, or ""."""
    currencies = (held.available.currency for held in balances)
    return next((each for each in currencies if not waiting_payouts.is_on_platform(each)), "")


def _charted(request: HttpRequest, balances: list[Balances]) -> Balances:
    """Return the balances to chart: of the currency asked for, else of the first currency with a history."""
    wanted = request.GET.get("currency", "")
    named = [held for held in balances if held.available.currency == wanted]
    used = [held for held in balances if held.lifetime_earnings.amount_minor or held.lifetime_spent.amount_minor]
    return (named or used or balances)[0]


def _all(held: Balances) -> int:
    """Return the sum of everything that the user has or had; zero for an unused wallet."""
    amounts = (held.available, held.pending, held.escrowed, held.contested, held.withdrawing, held.owed)
    return sum(amount.amount_minor for amount in (*amounts, held.lifetime_earnings, held.lifetime_spent))


def _shown(view: WalletView, account: ConnectedAccount | None) -> dict[str, Any]:
    """Return one currency for display, by the rules of its route."""
    is_on_platform = waiting_payouts.is_on_platform(view.held.available.currency)
    return {
        "held": view.held,
        "bar": _bar(view),
        "is_empty": not _all(view.held),
        "is_on_platform": is_on_platform,
        "missing": _missing(view) if is_on_platform else "",
        "can_withdraw": is_on_platform or (account is not None and account.onboarding_completed),
        "waiting": [row for row in view.where if row.reason in _WAITING],
    }


def _missing(view: WalletView) -> str:
    """Return what has to be done before the available money of a platform route can be withdrawn, or ""."""
    reasons = [row.reason for row in view.where if row.place is Place.AVAILABLE]
    return "" if not reasons or reasons[0] is Reason.NOT_WITHDRAWN else reasons[0].value


def _bar(view: WalletView) -> list[dict[str, Any]]:
    """Return the segments of the bar, one per place, in thousandths."""
    sums: dict[Place, int] = {}
    for row in view.where:
        sums[row.place] = sums.get(row.place, 0) + row.amount.amount_minor
    total, start, parts = sum(sums.values()), 0, []
    for place, minor in sums.items():
        length = max(6, minor * 1000 // total)
        parts.append({"tone": _TONES[place], "start": start, "length": length})
        start += length
    return parts


def _of_freelancer(
    request: HttpRequest, account: ConnectedAccount | None, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return why money is pending, and the newest withdrawals."""
    pending = pending_reasons.of_rows(rows, account, timezone.now(), dates.reader_zone())
    visible = access.visible_withdrawals(actor_of(request)).order_by("-pk")
    newest = withdrawals.with_destinations(visible)[:LATEST]
    return {
        "holds": [{"hold": hold, "text": labels.pending_reason(hold.reason)} for hold in pending.amounts],
        "disputes": pending.disputes,
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
