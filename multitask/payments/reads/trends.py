"""A user's money over time: the balance at several moments, and earnings or spending per month.

The cost does not depend on the length of the history. Earnings are derived from the ledger: what the wallet
grew by, and what was paid out of it in the same time, was earned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.books.history import HistoryType
from multitask.payments.models import HistoryRow
from multitask.payments.states import HistoryStatus

# What leaves the wallet for the bank, and comes back from it; all else moves within the wallet or is earned.
_PAID_OUT: Final = ("withdrawal_paid", "withdrawal_returned")
_MOST_PAYMENTS: Final = 2000


@dataclass(frozen=True, slots=True)
class Point:
    """An amount at a moment, or in the period that begins with it."""

    at: datetime
    amount: Money


@dataclass(frozen=True, slots=True)
class Trends:
    """The wallet's total balance at each moment, and the earnings of each month with complete data."""

    balance: list[Point]
    earned: list[Point]


def wallet_codes(user_id: int) -> dict[str, str]:
    """Return the codes of the ledger accounts of a freelancer's wallet, by name."""
    return {
        "pending": postings.pending_account(user_id).code,
        "available": postings.available_account(user_id).code,
        "withdrawing": postings.withdrawing_account(user_id).code,
    }


def of_wallet(user_id: int, currency: str, *, moments: Sequence[datetime], months: Sequence[datetime]) -> Trends:
    """Return the balance at `moments`, and the earnings between each two of `months`. Two queries."""
    codes = wallet_codes(user_id)
    found = ledger.readings(list(codes.values()), currency, [*moments, *months])
    held = [
        sum((each.balance for each in at_once), Money.zero(currency)) for at_once in zip(*found.values(), strict=True)
    ]
    at_months = held[len(moments) :]
    paid_out = ledger.movement(codes["withdrawing"], currency, _PAID_OUT, months)
    earned = [
        Point(start, after - before - moved)
        for start, before, after, moved in zip(months, at_months, at_months[1:], paid_out.sums, strict=False)
        if paid_out.complete_since is None or start >= paid_out.complete_since
    ]
    balance = [Point(at, amount) for at, amount in zip(moments, held, strict=False)]
    return Trends(balance, earned)


def spent(user_id: int, currency: str, *, months: Sequence[datetime]) -> list[Point]:
    """Return a client's payments minus refunds between each two of `months`; the newest payments only. One query."""
    kinds = (HistoryType.ESCROW_DEPOSIT.value, HistoryType.REFUND.value)
    of_kind = [_completed(user_id, currency, kind) for kind in kinds]
    found = list(of_kind[0].union(of_kind[1], all=True))
    sums = dict.fromkeys(months[:-1], 0)
    for kind, direction, amount_minor, at in found:
        start = max((month for month in months if month <= at), default=None)
        if start in sums and direction != "neutral":
            sums[start] += amount_minor if kind == kinds[0] else -amount_minor
    known_since = _known_since(found)
    return [
        Point(start, Money(minor, currency))
        for start, minor in sums.items()
        if known_since is None or start >= known_since
    ]


def _completed(user_id: int, currency: str, kind: str) -> QuerySet[HistoryRow, Any]:
    rows = HistoryRow.objects.filter(
        user_id=user_id, type=kind, status=HistoryStatus.COMPLETED.value, currency=currency
    )
    return rows.order_by("-pk").values_list("type", "direction", "amount_minor", "processed_at")[:_MOST_PAYMENTS]


def _known_since(found: list[tuple[str, str, int, datetime]]) -> datetime | None:
    """Return the moment since which all data was read; None if nothing was left out."""
    reached = []
    for kind in {row[0] for row in found}:
        moments = [row[3] for row in found if row[0] == kind]
        if len(moments) == _MOST_PAYMENTS:
            reached.append(min(moments))
    return max(reached, default=None)
