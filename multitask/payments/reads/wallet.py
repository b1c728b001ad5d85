"""The wallet's balances and history, read from the ledger and from stored totals, at a cost that does not grow."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.books.history import HistoryType
from multitask.payments.models import Escrow, HistoryRow, HistoryTotal
from multitask.payments.states import HOLDING_ESCROWS, HistoryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """One person's money in one currency.

    `escrowed` is what escrows hold in which the person is a party, on either side. Lifetime
    earnings are net of fees, lifetime spending is net of refunds.
    """

    available: Money
    pending: Money
    escrowed: Money
    withdrawing: Money
    lifetime_earnings: Money
    lifetime_spent: Money


@database.snapshot
def balances(*, user_id: int, default_currency: str) -> list[Balances]:
    """Return a person's money per currency, the default currency first and always included. Three queries."""
    accounts = {
        "available": postings.available_account(user_id).code,
        "pending": postings.pending_account(user_id).code,
        "withdrawing": postings.withdrawing_account(user_id).code,
    }
    escrowed = _escrow_codes(user_id)
    held = ledger.balances([*accounts.values(), *escrowed])
    lifetime = _lifetime(user_id)
    currencies = {currency for _, currency in held} | set(lifetime) | {default_currency}
    rest = sorted(currencies - {default_currency})
    return [_in_currency(currency, accounts, escrowed, held, lifetime) for currency in (default_currency, *rest)]


def _in_currency(
    currency: str,
    accounts: dict[str, str],
    escrowed: Iterable[str],
    held: dict[tuple[str, str], Money],
    lifetime: dict[str, tuple[int, int]],
) -> Balances:
    zero = Money.zero(currency)
    earned, spent = lifetime.get(currency, (0, 0))
    return Balances(
        available=held.get((accounts["available"], currency), zero),
        pending=held.get((accounts["pending"], currency), zero),
        withdrawing=held.get((accounts["withdrawing"], currency), zero),
        escrowed=sum((held.get((code, currency), zero) for code in escrowed), zero),
        lifetime_earnings=Money(earned, currency),
        lifetime_spent=Money(spent, currency),
    )


def _escrow_codes(user_id: int) -> list[str]:
    """Return the ledger accounts of the escrows that hold money and to which the person is a party."""
    holding = Escrow.objects.filter(state__in=[s.value for s in HOLDING_ESCROWS])
    theirs = holding.filter(Q(client_id=user_id) | Q(freelancer_id=user_id))
    return [postings.escrow_account(pk).code for pk in theirs.values_list("pk", flat=True)]


_SPENT = {HistoryType.ESCROW_DEPOSIT.value: 1, HistoryType.REFUND.value: -1}
_EARNED = {HistoryType.ESCROW_RELEASE.value: 1, HistoryType.PLATFORM_FEE.value: -1}


def _lifetime(user_id: int) -> dict[str, tuple[int, int]]:
    """Return earned and spent per currency, from the stored totals of completed history rows."""
    totals = HistoryTotal.objects.filter(user_id=user_id, status=HistoryStatus.COMPLETED.value).exclude(
        direction="neutral"
    )
    result: dict[str, tuple[int, int]] = {}
    for total in totals:
        earned, spent = result.get(total.currency, (0, 0))
        earned += _EARNED.get(total.type, 0) * total.amount_minor
        spent += _SPENT.get(total.type, 0) * total.amount_minor
        result[total.currency] = (earned, spent)
    return result


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
    """Select a user's own history, newest first. With `reach`, only that many rows are certain to be included."""
    exact = _exact(wanted)
    found = HistoryRow.objects.filter(user_id=user_id, **exact)
    if exact and reach is not None and _is_counted(wanted):
        asked = (user_id, wanted.type, wanted.status, wanted.currency, reach)
        found = found.filter(pk__in=RawSQL(_NEWEST, asked))  # noqa: S611 - values go in as parameters
    if wanted.start is not None:
        found = found.filter(created_at__gte=wanted.start)
    if wanted.end is not None:
        found = found.filter(created_at__lt=wanted.end)
    if wanted.search:
        found = found.filter(
            Q(description__icontains=wanted.search)
            | Q(escrow__agreement__title__icontains=wanted.search)
            | Q(sender__username__icontains=wanted.search)
            | Q(recipient__username__icontains=wanted.search)
        )
    related = ("escrow__agreement", "sender", "recipient")
    return found.select_related(*related).order_by("-pk")


def count(user_id: int, wanted: Filter) -> int:
    """Return how many rows the filter matches: from the stored totals if possible, else counted."""
    if not _is_counted(wanted):
        return rows(user_id, wanted).count()
    totals = HistoryTotal.objects.filter(user_id=user_id, **_exact(wanted))
    return totals.aggregate(rows=Sum("rows"))["rows"] or 0


def _is_counted(wanted: Filter) -> bool:
    """Return whether the stored totals can answer the filter."""
    return not wanted.search and wanted.start is None and wanted.end is None


def _exact(wanted: Filter) -> dict[str, str]:
    fields = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
    return {name: value for name, value in fields.items() if value}
