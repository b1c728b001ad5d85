"""The wallet's balances and history, read from the ledger and from stored totals, at a cost that does not grow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.db.models.expressions import RawSQL

from multitask import database
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import ConnectedAccount, HistoryRow, HistoryTotal
from multitask.payments.reads import history_search, json_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """One person's money in one currency.

    `escrowed` is what escrows hold in which the person is a party, on either side. `contested` is what is held of the
    shares that were released to them. `owed` is what the person owes the
    platform after losses, `has_owed` whether they ever did. Lifetime earnings are net of fees, lifetime spending is
    net of refunds.
    """

    available: Money
    pending: Money
    escrowed: Money
    contested: Money
    withdrawing: Money
    owed: Money
    has_owed: bool
    lifetime_earnings: Money
    lifetime_spent: Money


@dataclass(frozen=True, slots=True)
class Wallet:
    """A person's balances per currency, what explains them, and the payout account at the configured provider.

    `escrows` are sums of the oldest open escrows, by what decides why their money is not further. `pending` are
    sums of some of the pending and held amounts, as `pending_reasons.reason_of_row` takes them.
    """

    balances: list[Balances]
    escrows: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    account: ConnectedAccount | None


_WALLET: Final = database.Statement("SELECT payments_wallet(%(user)s::bigint, %(provider)s::text)")


def balances(*, user_id: int, default_currency: str) -> list[Balances]:
    """Return a person's money per currency, the default currency first and always included. One statement."""
    return read(user_id=user_id, default_currency=default_currency).balances


def read(*, user_id: int, default_currency: str) -> Wallet:
    """Read a person's balances and what explains them. One statement."""
    accounts = {
        "available": postings.available_account(user_id).code,
        "pending": postings.pending_account(user_id).code,
        "withdrawing": postings.withdrawing_account(user_id).code,
        "receivable": postings.receivable_account(user_id).code,
    }
    ((row,),) = _WALLET.rows({"user": user_id, "provider": settings.PAYMENT_PROVIDER})
    found = _Found(
        {(code, currency): minor for code, currency, minor in row["own"] or ()},
        dict(row["escrowed"] or ()),
        dict(row["contested"] or ()),
        {currency: (earned, spent) for currency, earned, spent in row["lifetime"] or ()},
    )
    currencies = (
        {currency for _, currency in found.own} | set(found.escrowed) | set(found.contested) | set(found.lifetime)
    )
    ordered = (default_currency, *sorted(currencies - {default_currency}))
    return Wallet(
        [_in_currency(currency, accounts, found) for currency in ordered],
        [json_rows.with_moments(each, "answer_by_at", "auto_release_at") for each in row["held"] or ()],
        [json_rows.with_moments(each, "available_at") for each in row["unavailable"] or ()],
        None if row["account"] is None else json_rows.instance(ConnectedAccount, row["account"]),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Amounts in minor units: by code and currency, and by currency; of lifetimes what was earned and spent."""

    own: dict[tuple[str, str], int]
    escrowed: dict[str, int]
    contested: dict[str, int]
    lifetime: dict[str, tuple[int, int]]


def _in_currency(currency: str, accounts: dict[str, str], found: _Found) -> Balances:
    own = {name: Money(found.own.get((code, currency), 0), currency) for name, code in accounts.items()}
    earned, spent = found.lifetime.get(currency, (0, 0))
    return Balances(
        available=own["available"],
        pending=own["pending"],
        withdrawing=own["withdrawing"],
        escrowed=Money(found.escrowed.get(currency, 0), currency),
        contested=Money(found.contested.get(currency, 0), currency),
        has_owed=(accounts["receivable"], currency) in found.own,
        owed=-own["receivable"],
        lifetime_earnings=Money(earned, currency),
        lifetime_spent=Money(spent, currency),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows of the history to select; empty means all."""

    type: str = ""
    status: str = ""
    currency: str = ""
    start: datetime | None = None
    end: datetime | None = None
    search: str = ""


# A person has few kinds of rows, and the totals list them; the newest of each kind are adjacent in the index,
# however rare the kind is.
_NEWEST: Final = """
SELECT newest.id
  FROM (SELECT DISTINCT user_id, type, status, currency FROM payments_historytotal
         WHERE user_id = %s AND %s IN (type, '') AND %s IN (status, '') AND %s IN (currency, '')) AS kind
 CROSS JOIN LATERAL (
       SELECT id FROM payments_historyrow AS row
        WHERE row.user_id = kind.user_id AND row.type = kind.type AND row.status = kind.status
          AND row.currency = kind.currency
        ORDER BY row.id DESC LIMIT %s) AS newest
"""


@database.snapshot
def page(user_id: int, wanted: Filter, *, offset: int, size: int) -> tuple[list[HistoryRow], int]:
    """Read a page of a person's own history, newest first, and how many rows match."""
    total = count(user_id, wanted)
    found = rows(user_id, wanted, reach=offset + size)
    return (list(found[offset : offset + size]) if total > offset else []), total


def rows(user_id: int, wanted: Filter, *, reach: int | None = None) -> QuerySet[HistoryRow]:
    """Select a user's own history, newest first. With `reach`, only that many rows are certain to be included.

    A search selects the newest `MOST_FOUND` rows at most.
    """
    exact = _exact(wanted)
    found = HistoryRow.objects.filter(user_id=user_id, **exact)
    if exact and reach is not None and is_counted(wanted):
        asked = (user_id, wanted.type, wanted.status, wanted.currency, reach)
        found = found.filter(pk__in=RawSQL(_NEWEST, asked))  # noqa: S611 - values go in as parameters
    if wanted.start is not None:
        found = found.filter(created_at__gte=wanted.start)
    if wanted.end is not None:
        found = found.filter(created_at__lt=wanted.end)
    if wanted.search:
        newest = history_search.newest(found, user_id, wanted.search)
        found = HistoryRow.objects.filter(pk__in=list(newest[: history_search.MOST_FOUND]))
    related = ("escrow__agreement", "sender", "recipient", "refund", "withdrawal")
    return found.select_related(*related).order_by("-pk")


def count(user_id: int, wanted: Filter) -> int:
    """Return how many rows the filter matches: from the stored totals if possible, else counted."""
    if not is_counted(wanted):
        return rows(user_id, wanted).count()
    totals = HistoryTotal.objects.filter(user_id=user_id, **_exact(wanted))
    return totals.aggregate(rows=Sum("rows"))["rows"] or 0


def is_counted(wanted: Filter) -> bool:
    """Return whether the stored totals can answer the filter."""
    return not wanted.search and wanted.start is None and wanted.end is None


def _exact(wanted: Filter) -> dict[str, str]:
    fields = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
    return {name: value for name, value in fields.items() if value}
