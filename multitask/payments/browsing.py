"""A person's history page by page: any filter, in either direction, as fast at a million rows as at ten.

The kinds of rows that a person has are few and the totals name them; of each kind the rows are side by
side in the index, the newest first. A page is therefore the newest few of each kind, whatever is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from multitask.money import Currency, Money, MoneyError
from multitask.payments.models import HistoryRow, HistoryTotal
from multitask.payments.states import HistoryStatus
from multitask.payments.wallet import Filter

PAGE_SIZE: Final = 25
BATCH: Final = 1000
# How many rows a search looks through for one page, and how many are added up unless all are asked for.
WINDOW: Final = 5_000
MOST_ADDED: Final = 10_000
# Rows are numbered in the order of their moments, but for commands that took a while.
_SLACK: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: the rows older than `before`, or the ones just newer than `after`."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """One page, newest first. `newer` and `older` are where the neighbours begin, None when there are none.

    `is_cut` says that a search has looked through its window only and `older` goes on from there.
    """

    rows: list[HistoryRow]
    newer: Cursor | None
    older: Cursor | None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """What the rows of one currency add up to. Rows that are neutral, failed or cancelled move nothing."""

    currency: str
    rows: int
    money_in: Money
    money_out: Money
    pending_in: Money
    pending_out: Money

    @property
    def net(self) -> Money:
        """What is left of what came in."""
        return self.money_in - self.money_out


def page(user_id: int, wanted: Filter, cursor: Cursor, *, size: int = PAGE_SIZE) -> Rows:
    """Read one page. One query; a second when a search has not filled its page."""
    is_upwards = cursor.after is not None
    reach = WINDOW if wanted.search else size + 1
    matching = _matching(user_id, wanted, cursor, reach)
    found = list(matching.order_by("pk" if is_upwards else "-pk")[: size + 1])
    has_more, rows = len(found) > size, found[:size]
    if is_upwards:
        if not has_more:
            return page(user_id, wanted, Cursor(), size=size)
        rows.reverse()
        return Rows(rows, Cursor(after=rows[0].pk), Cursor(before=rows[-1].pk))
    newer = Cursor(after=rows[0].pk) if rows and cursor.before is not None else None
    if has_more or not wanted.search:
        return Rows(rows, newer, Cursor(before=rows[-1].pk) if has_more else None)
    last = _last_looked_at(user_id, wanted, cursor)
    return Rows(rows, newer, None if last is None else Cursor(before=last), is_cut=last is not None)


def all_rows(user_id: int, wanted: Filter) -> Iterator[HistoryRow]:
    """Every row that matches, newest first, read batch by batch."""
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        found = page(user_id, wanted, cursor, size=BATCH)
        yield from found.rows
        cursor = found.older


def totals(user_id: int, wanted: Filter, *, is_exact: bool = False) -> tuple[list[Totals], bool]:
    """Add up what matches, by currency; False when there is more than was added up. One query.

    Without a period or a search the kept totals answer; else the newest rows are added up, all with `is_exact`.
    """
    if not (wanted.search or wanted.start or wanted.end):
        kept = HistoryTotal.objects.filter(user_id=user_id, **_exact(wanted), rows__gt=0)
        columns = kept.values_list("currency", "status", "direction", "rows", "amount_minor")
        return _added(columns), True
    reach = None if is_exact else (WINDOW if wanted.search else MOST_ADDED) + 1
    groups = _matching(user_id, wanted, Cursor(), reach).order_by().values_list("currency", "status", "direction")
    counted = list(groups.annotate(rows=Count("pk"), amount=Sum("amount_minor")))
    # A search that has looked through its whole window may have left something out.
    cut = WINDOW + 1 if wanted.search and not is_exact else None
    looked_at = _looked_at(user_id, wanted, cut) if cut else sum(row[3] for row in counted)
    return _added(counted), is_exact or looked_at < (reach or 0)


def _added(groups: Any) -> list[Totals]:
    sums: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
    for currency, status, direction, rows, amount_minor in groups:
        earlier = sums.setdefault(currency, {}).get((status, direction), (0, 0))
        sums[currency][status, direction] = (earlier[0] + rows, earlier[1] + amount_minor)
    found = [_total(currency, parts) for currency, parts in sums.items()]
    return sorted(found, key=lambda total: (-total.rows, total.currency))


def _total(currency: str, parts: dict[tuple[str, str], tuple[int, int]]) -> Totals:
    def part(status: HistoryStatus, direction: str) -> Money:
        return Money(int(parts.get((status.value, direction), (0, 0))[1]), currency)

    return Totals(
        currency,
        sum(rows for rows, _ in parts.values()),
        part(HistoryStatus.COMPLETED, "in"),
        part(HistoryStatus.COMPLETED, "out"),
        part(HistoryStatus.PENDING, "in"),
        part(HistoryStatus.PENDING, "out"),
    )


def currencies(user_id: int) -> list[str]:
    """The currencies that a person's history knows."""
    known = HistoryTotal.objects.filter(user_id=user_id).values_list("currency", flat=True)
    return sorted(set(known.distinct()))


# -- which rows are looked at


def _exact(wanted: Filter) -> dict[str, str]:
    fields = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
    return {name: value for name, value in fields.items() if value}


def _candidates(user_id: int, wanted: Filter, cursor: Cursor, reach: int | None) -> tuple[str, list[Any]]:
    """Select the ids of the first `reach` rows that match all but the search."""
    bounds, values = _bounds(user_id, wanted, cursor)
    order = "ASC" if cursor.after is not None else "DESC"
    limit = "" if reach is None else f"ORDER BY row.id {order} LIMIT {reach:d}"
    kinds = [user_id, wanted.type, wanted.status, wanted.currency]
    sql = f"""
    SELECT newest.id
      FROM (SELECT DISTINCT user_id, type, status, currency FROM payments_historytotal
             WHERE user_id = %s AND %s IN (type, '') AND %s IN (status, '') AND %s IN (currency, '')
               AND rows > 0) AS kind
     CROSS JOIN LATERAL (
           SELECT row.id FROM payments_historyrow AS row
            WHERE row.user_id = kind.user_id AND row.type = kind.type AND row.status = kind.status
              AND row.currency = kind.currency {bounds} {limit}) AS newest
     {limit.replace("row.id", "newest.id")}
    """  # noqa: S608 - only words of our own; values go in as parameters
    return sql, [*kinds, *values]


def _bounds(user_id: int, wanted: Filter, cursor: Cursor) -> tuple[str, list[Any]]:
    """The cursor and the period as conditions; the period also as ids, so that the index leads straight to it."""
    conditions: list[str] = []
    values: list[Any] = []
    edge = "(SELECT edge.id FROM payments_historyrow AS edge WHERE edge.user_id = %s AND edge.created_at {} %s"
    if cursor.before is not None:
        conditions, values = ["row.id < %s"], [cursor.before]
    if cursor.after is not None:
        conditions, values = [*conditions, "row.id > %s"], [*values, cursor.after]
    if wanted.start is not None:
        first = f"row.id >= {edge.format('>=')} ORDER BY edge.created_at, edge.id LIMIT 1)"
        conditions += ["row.created_at >= %s", first]
        values += [wanted.start, user_id, wanted.start - _SLACK]
    if wanted.end is not None:
        last = f"row.id <= {edge.format('<')} ORDER BY edge.created_at DESC, edge.id DESC LIMIT 1)"
        conditions += ["row.created_at < %s", last]
        values += [wanted.end, user_id, wanted.end + _SLACK]
    return "".join(f" AND {condition}" for condition in conditions), values


def _matching(user_id: int, wanted: Filter, cursor: Cursor, reach: int | None) -> QuerySet[HistoryRow]:
    sql, values = _candidates(user_id, wanted, cursor, reach)
    found = HistoryRow.objects.filter(pk__in=RawSQL(sql, values))  # noqa: S611 - values go in as parameters
    if wanted.search:
        found = found.filter(_search(wanted.search))
    return found.select_related("escrow__task", "sender", "recipient", "withdrawal")


def _search(words: str) -> Q:
    """The task's title and the people; an amount, or the whole id, where the words are one."""
    asked = (
        Q(escrow__task__title__icontains=words)
        | Q(sender__username__icontains=words)
        | Q(recipient__username__icontains=words)
    )
    for currency, alike in _BY_DECIMALS.items():
        try:
            asked |= Q(amount_minor=Money.parse(words, currency).amount_minor) & alike
        except MoneyError:
            continue
    try:
        return asked | Q(public_id=UUID(words))
    except ValueError:
        return asked


def _with_decimals(decimals: int) -> Q:
    return Q(currency__in=[currency.code for currency in Currency.all() if currency.decimals == decimals])


# One currency for each usual number of decimals, with the condition that a row's currency has as many.
_BY_DECIMALS: Final = {
    "JPY": _with_decimals(0),
    "USD": ~_with_decimals(0) & ~_with_decimals(3) & ~_with_decimals(4),
    "KWD": _with_decimals(3),
}


def _looked_at(user_id: int, wanted: Filter, reach: int) -> int:
    sql, values = _candidates(user_id, wanted, Cursor(), reach)
    return HistoryRow.objects.filter(pk__in=RawSQL(sql, values)).count()  # noqa: S611


def _last_looked_at(user_id: int, wanted: Filter, cursor: Cursor) -> int | None:
    """The row at the end of a search's window; None when the window reaches the end of the history."""
    sql, values = _candidates(user_id, wanted, cursor, WINDOW)
    seen = HistoryRow.objects.filter(pk__in=RawSQL(sql, values))  # noqa: S611
    found = seen.aggregate(rows=Count("pk"), last=Min("pk"))
    return found["last"] if found["rows"] == WINDOW else None
