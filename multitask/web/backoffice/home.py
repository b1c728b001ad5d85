"""The home page of the back office: what waits for us, and how the money moves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.money import Money
from multitask.users.actor import Power
from multitask.web.backoffice import addresses, charts, figures, open_questions, roles, site, words
from multitask.web.pages.templatetags.money import day, money


@dataclass(frozen=True, slots=True)
class Waiting:
    """One kind of thing that waits for us."""

    words: Any
    number: int
    is_more: bool
    is_bad: bool
    address: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Everything that somebody of the staff wants to see first."""
    now = timezone.now()
    held = figures.held()
    known = _currencies(held)
    currency = request.GET.get("currency", "")
    currency = currency if currency in known else known[0]
    held_here = next((each for each in held if each.amount.currency == currency), None)
    context = {
        "held": held,
        "held_here": held_here or figures.Held(Money.zero(currency), 0),
        "currency": currency,
        "currencies": known,
        "waiting": _waiting(now),
        "may_sweep": roles.may(request, Power.ADJUST),
        **_money(currency, held_here.amount if held_here else Money.zero(currency), now),
        **_machinery(now),
    }
    return site.page(request, "home.html", _("Overview"), context)


def _currencies(held: list[figures.Held]) -> list[str]:
    found = [each.amount.currency for each in held]
    return list(dict.fromkeys([*found, *figures.currencies()])) or ["USD"]


def _waiting(now: datetime) -> list[Waiting]:
    counts = open_questions.counts(now)
    return [
        Waiting(
            question.words,
            min(counts[question.name], open_questions.MOST - 1),
            counts[question.name] >= open_questions.MOST,
            question.is_bad,
            addresses.listing(question.label, question.query),
        )
        for question in open_questions.QUESTIONS
        if counts.get(question.name)
    ]


def _money(currency: str, held: Money, now: datetime) -> dict[str, Any]:
    days, is_cut = figures.by_day(currency, held, now)
    months = figures.by_month(currency, now)
    return {
        "days": days,
        "is_cut": is_cut,
        "months": months,
        "held_chart": _held_chart(days),
        "flow_chart": _flow_chart(days),
        "fees_chart": _fees_chart(months),
        "released_sum": sum((each.released for each in days), Money.zero(currency)),
        "fees_now": months[-1].fees,
    }


def _held_chart(days: list[figures.Day]) -> charts.Chart:
    highest = max((each.held for each in days), default=None)
    return charts.curve(
        [each.held.amount_minor for each in days],
        top=money(highest),
        first=day(days[0].at) if days else "",
        last=day(days[-1].at) if days else "",
    )


def _flow_chart(days: list[figures.Day]) -> charts.Chart:
    series = [
        ("escrow", [each.funded.amount_minor for each in days]),
        ("available", [each.released.amount_minor for each in days]),
        ("refunded", [each.refunded.amount_minor for each in days]),
    ]
    highest = max((amount for each in days for amount in (each.funded, each.released, each.refunded)), default=None)
    titles = [
        [
            f"{day(each.at)}: {word} {money(amount)}"
            for word, amount in (
                (_("into escrow"), each.funded),
                (_("released"), each.released),
                (_("refunded"), each.refunded),
            )
        ]
        for each in days
    ]
    edges = (day(days[0].at), day(days[-1].at)) if days else ("", "")
    return charts.columns(series, titles, top=money(highest), first=edges[0], last=edges[1])


def _fees_chart(months: list[figures.Month]) -> charts.Chart:
    values = [("fee", [each.fees.amount_minor for each in months])]
    titles = [[f"{day(each.at)}: {money(each.fees)}"] for each in months]
    highest = max(each.fees for each in months)
    return charts.columns(values, titles, top=money(highest), first=day(months[0].at), last=day(months[-1].at))


def _machinery(now: datetime) -> dict[str, Any]:
    payouts, backlog = figures.failed_payouts(now), figures.backlog(now)
    calls = figures.open_calls(open_questions.is_stuck(now))
    numbers = [each.number for each in payouts]
    return {
        "payouts": [each for each in payouts if each.number],
        "payouts_number": sum(numbers),
        "payouts_chart": charts.columns(
            [("bad", numbers)],
            [[f"{day(each.at)}: {each.number}"] for each in payouts],
            top=str(max(numbers)),
            first=day(payouts[0].at),
            last=day(payouts[-1].at),
        ),
        "backlog": backlog,
        "ages": _ages(backlog),
        "calls": charts.meters([(words.of("operation_kind", kind), number, stuck) for kind, number, stuck in calls]),
        "calls_stuck": sum(stuck for _kind, _number, stuck in calls),
    }


def _ages(backlog: figures.Backlog) -> list[charts.Meter]:
    """How many wait for how long; those that wait longer than they should are the bad ones."""
    told = [
        _("under a minute"),
        _("up to ten minutes"),
        _("up to an hour"),
        _("up to a day"),
        _("longer"),
    ]
    ages = zip(told, backlog.ages, strict=True)
    return charts.meters(
        [(word, number, number if age > open_questions.SLOW_AFTER else 0) for word, (age, number) in ages]
    )
