"""The overview: the work queue, and how the money moves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.money import Money
from multitask.payments.reads.trends import Point
from multitask.web import charts
from multitask.web.backoffice import work_items, work_queue
from multitask.web.backoffice.base import labels, links, rendering, roles
from multitask.web.backoffice.home import statistics
from multitask.web.backoffice.operations.actions import RetryOverdueCalls
from multitask.web.backoffice.reconciliation import accounts


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One item of the work queue with the number of its rows; `is_more` when there are more than the number."""

    title: Any
    number: int
    is_more: bool
    is_problem: bool
    address: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the overview, with the charts of one currency."""
    now = timezone.now()
    held = statistics.held()
    known = _currencies(held)
    currency = request.GET.get("currency", "")
    currency = currency if currency in known else known[0]
    held_here = next((each for each in held if each.amount.currency == currency), None)
    context = {
        "held_here": held_here or statistics.Held(Money.zero(currency), 0),
        "currency": currency,
        "currencies": known,
        "queue": _queue(now),
        "standing": accounts.standing(),
        "buttons": [RetryOverdueCalls.button()] if roles.may(request, RetryOverdueCalls.power) else [],
        **_money(currency, held_here.amount if held_here else Money.zero(currency), now),
        **_operations(now),
    }
    return rendering.page(request, "home/home.html", _("Overview"), context)


def _currencies(held: list[statistics.Held]) -> list[str]:
    found = [each.amount.currency for each in held]
    return list(dict.fromkeys([*found, *statistics.currencies()])) or ["USD"]


def _queue(now: datetime) -> list[QueueLine]:
    counts = work_items.counts(now)
    return [
        QueueLine(
            item.title,
            min(counts[item.name], work_items.COUNT_LIMIT - 1),
            counts[item.name] >= work_items.COUNT_LIMIT,
            item.is_problem,
            links.listing(item.model, item.query),
        )
        for item in work_items.ITEMS
        if counts.get(item.name)
    ]


def _money(currency: str, held: Money, now: datetime) -> dict[str, Any]:
    days, is_cut = statistics.by_day(currency, held, now)
    months = statistics.by_month(currency, now)
    return {
        "days": days,
        "is_cut": is_cut,
        "months": months,
        "held_chart": charts.curve([Point(each.at, each.held) for each in days]),
        "flow_chart": charts.columns(
            charts.Series([Point(each.at, each.funded) for each in days], "escrow", _("into escrow")),
            charts.Series([Point(each.at, each.released) for each in days], "available", _("released")),
            charts.Series([Point(each.at, each.refunded) for each in days], "refunded", _("refunded")),
        ),
        "fees_chart": charts.columns(charts.Series([Point(each.at, each.fees) for each in months], "fee")),
        "released_sum": sum((each.released for each in days), Money.zero(currency)),
        "fees_now": months[-1].fees,
    }


def _operations(now: datetime) -> dict[str, Any]:
    payouts, backlog = statistics.failed_payouts(now), statistics.backlog(now)
    calls = statistics.open_calls(work_queue.is_stuck(now))
    return {
        "payouts_number": sum(each.amount for each in payouts),
        "payouts_chart": charts.columns(charts.Series(payouts, "bad")),
        "backlog": backlog,
        "ages": _ages(backlog),
        "calls": charts.meters([(labels.of("operation_kind", kind), number, stuck) for kind, number, stuck in calls]),
        "calls_stuck": sum(stuck for _kind, _number, stuck in calls),
    }


def _ages(backlog: statistics.Backlog) -> list[charts.Meter]:
    """Return how many webhooks wait for how long; those that wait longer than they should are bad."""
    names = [
        _("under a minute"),
        _("up to ten minutes"),
        _("up to an hour"),
        _("up to a day"),
        _("longer"),
    ]
    ages = zip(names, backlog.ages, strict=True)
    return charts.meters([(name, number, number if age > work_queue.SLOW_AFTER else 0) for name, (age, number) in ages])
