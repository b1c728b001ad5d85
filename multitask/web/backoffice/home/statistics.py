"""The statistics of the overview, from the books and from bounded reads: their cost does not grow with the past."""

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from multitask import ledger
from multitask.ledger.models import Account, Entry, Transaction
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Operation, Withdrawal
from multitask.payments.states import OPEN_OPERATIONS, WithdrawalState
from multitask.web import charts
from multitask.webhooks.models import EventState, IncomingEvent

DAYS: Final = 30
MONTHS: Final = 12
# A chart reads at most so many of the newest postings; a month with more shows its last days only, and says so.
MOST_POSTINGS: Final = 20_000
MOST_EVENTS: Final = 10_000
INTO: Final = "escrow_funded"
OUT: Final = "escrow_released"
BACK: Final = "refund_paid"
_MOVING: Final = (INTO, OUT, BACK, "refund_requested", "refund_failed", "refund_returned")


@dataclass(frozen=True, slots=True)
class Held:
    """The money in open escrows of one currency, and how many escrows there are."""

    amount: Money
    escrows: int


@dataclass(frozen=True, slots=True)
class Day:
    """What moved on one day; `held` is the money in escrow at its end."""

    at: datetime
    funded: Money
    released: Money
    refunded: Money
    held: Money


@dataclass(frozen=True, slots=True)
class Month:
    """The platform's fees of one month."""

    at: datetime
    fees: Money


def held() -> list[Held]:
    """Return the balances of open escrows, the currency with most escrows first. One query, over open escrows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT escrow.currency, count(*), coalesce(sum(balance.balance_minor), 0)::bigint
              FROM payments_escrow escrow
              LEFT JOIN ledger_account account
                ON account.code = 'escrow:' || escrow.id AND account.currency = escrow.currency
              LEFT JOIN ledger_balance balance ON balance.account_id = account.id
             WHERE escrow.state IN ('funded', 'disputed')
               AND NOT escrow.state IN ('cancelled', 'refunded', 'released')
             GROUP BY escrow.currency ORDER BY count(*) DESC, escrow.currency
            """
        )
        return [Held(Money(minor, currency), escrows) for currency, escrows, minor in cursor.fetchall()]


def currencies() -> list[str]:
    """Return the currencies in which the platform has ever earned a fee. One query."""
    code = postings.fees_account().code
    return list(Account.objects.filter(code=code).order_by("currency").values_list("currency", flat=True))


def by_day(currency: str, held_now: Money, now: datetime) -> tuple[list[Day], bool]:
    """Return what moved in the last days, and whether the first days are left out as there is too much. Two queries."""
    days = [_midnight(now) - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    moved, known_since = _moved(currency, days[0])
    shown: list[Day] = []
    after = held_now.amount_minor
    for at in reversed(days):
        kinds = moved.get(at, {})
        into, out, back = (Money(kinds.get(kind, (0, 0))[0], currency) for kind in (INTO, OUT, BACK))
        shown.append(Day(at, into, out, back, Money(after, currency)))
        after -= sum(net for _moved_minor, net in kinds.values())
    known = [day for day in reversed(shown) if known_since is None or day.at > known_since]
    return known, len(known) < len(days)


def _moved(currency: str, start: datetime) -> tuple[dict[datetime, dict[str, tuple[int, int]]], datetime | None]:
    """Return by day and kind the amount moved and the net change of the escrows' accounts, and since when it is known.

    Ids of transactions are in the order of time, so the newest are found without an index of their own.
    """
    newest = Transaction.objects.filter(pk__gte=_first_id(start), kind__in=_MOVING).order_by("-pk").values("pk")
    entries = Entry.objects.filter(transaction_id__in=newest[:MOST_POSTINGS], account__currency=currency)
    rows = (
        entries.annotate(day=TruncDay("created_at"))
        .values_list("day", "transaction__kind")
        .annotate(
            moved=Sum("amount_minor", filter=Q(amount_minor__gt=0), default=0),
            net=Sum("amount_minor", filter=Q(account__code__startswith="escrow:"), default=0),
        )
    )
    found: dict[datetime, dict[str, tuple[int, int]]] = {}
    for day, kind, moved, net in rows:
        found.setdefault(day, {})[kind] = (int(moved), int(net))
    left_out = list(newest[MOST_POSTINGS : MOST_POSTINGS + 1])
    return found, _posted_at(left_out[0]["pk"]) if left_out else None


def _posted_at(transaction_id: uuid.UUID) -> datetime:
    return datetime.fromtimestamp((transaction_id.int >> 80) / 1000, UTC)


def _first_id(at: datetime) -> uuid.UUID:
    """Return the lowest id that a transaction posted at this moment can have."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def _midnight(now: datetime) -> datetime:
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def by_month(currency: str, now: datetime) -> list[Month]:
    """Return the platform's fees of the last months, from readings of one account. One query."""
    months = [_month(now, back) for back in range(MONTHS - 1, -1, -1)]
    code = postings.fees_account().code
    readings = ledger.readings([code], currency, [*months, now])[code]
    pairs = zip(months, itertools.pairwise(readings), strict=True)
    return [Month(at, after.balance - before.balance) for at, (before, after) in pairs]


def _month(now: datetime, back: int) -> datetime:
    first = _midnight(now).replace(day=1)
    months = first.year * 12 + first.month - 1 - back
    return first.replace(year=months // 12, month=months % 12 + 1)


def failed_payouts(now: datetime) -> list[charts.Count]:
    """Return how many payouts failed on each of the last days, in every currency. One query, over failures alone."""
    days = [_midnight(now) - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    failed = Withdrawal.objects.filter(state=WithdrawalState.FAILED.value, failed_at__gte=days[0])
    rows = failed.annotate(day=TruncDay("failed_at")).values_list("day").annotate(number=Count("*"))
    found = dict(rows)
    return [charts.Count(day, found.get(day, 0)) for day in days]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many webhooks wait, and for how long; those given up or in quarantine are not counted."""

    waiting: int
    oldest: datetime | None
    ages: Sequence[tuple[timedelta, int]]


AGES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1), timedelta(days=365))


def backlog(now: datetime) -> Backlog:
    """Return the webhooks that wait, by age. One query, over those that wait."""
    waiting = IncomingEvent.objects.filter(state=EventState.RECEIVED).order_by("next_attempt_at")
    limited = IncomingEvent.objects.filter(pk__in=waiting.values("pk")[:MOST_EVENTS])
    bounds = [timedelta(0), *AGES]
    counts: dict[str, Any] = {
        f"age{number}": Count("pk", filter=Q(received_at__lte=now - younger, received_at__gt=now - older))
        for number, (younger, older) in enumerate(itertools.pairwise(bounds))
    }
    found = limited.aggregate(oldest=Min("received_at"), waiting=Count("*"), **counts)
    ages = [(age, found[f"age{number}"]) for number, age in enumerate(AGES)]
    return Backlog(found["waiting"], found["oldest"], ages)


def open_calls(stuck: Q) -> list[tuple[str, int, int]]:
    """Return open calls by kind: how many, and how many of them are stuck. One query, over open calls."""
    calls = Operation.objects.filter(state__in=sorted(s.value for s in OPEN_OPERATIONS), hold="")
    rows = calls.values_list("kind").annotate(number=Count("*"), stuck=Count("pk", filter=stuck))
    return sorted(rows, key=lambda row: -row[1])
