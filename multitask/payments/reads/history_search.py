"""The search in one user's history: task title, people, description, an amount, or a whole id."""

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from multitask.database import search
from multitask.money import Money, MoneyError
from multitask.payments.models import HistoryRow, HistoryTotal
from multitask.text import folding

MOST_FOUND: Final = search.MOST_FOUND


def matching(rows: QuerySet[HistoryRow], user_id: int, wanted: str) -> QuerySet[HistoryRow]:
    """Select the rows of this user that a search finds, from a query that selects no other user's. One query first."""
    try:
        return rows.filter(public_id=UUID(wanted))
    except ValueError:
        return search.matching(rows, query(user_id, wanted))


def newest(
    rows: QuerySet[HistoryRow], user_id: int, wanted: str, *, is_upwards: bool = False
) -> QuerySet[HistoryRow, int]:
    """Select the ids of the rows that a search finds, the newest first, or the oldest first with `is_upwards`."""
    return matching(rows, user_id, wanted).order_by("pk" if is_upwards else "-pk").values_list("pk", flat=True)


def query(user_id: int, wanted: str) -> str:
    """Return the `tsquery` of a search: all of its words, or the amount that it names in one of the user's currencies.

    How the words and amounts are stored is in `payments/sql/search.sql`.
    """
    found = [folding.query(wanted, prefix=f"{user_id}:")]
    for currency in currencies(user_id):
        try:
            amount = Money.read(wanted, currency)
        except MoneyError:
            continue
        found.append(f"'{user_id}:={amount.amount_minor}{currency}'")
    return " | ".join(f"({part})" for part in found if part)


def currencies(user_id: int) -> list[str]:
    """Return the currencies in a person's history."""
    known = HistoryTotal.objects.filter(user_id=user_id).values_list("currency", flat=True)
    return sorted(set(known.distinct()))
