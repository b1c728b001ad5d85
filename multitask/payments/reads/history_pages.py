"""Pages of a user's history, with any filter, in both directions, at a cost independent of the number of rows.

A person has few kinds of rows, and the totals list them; the rows of one kind are adjacent in the index, the newest
first. A page is therefore the newest few of each kind, whatever the filter. Their ids are read first and the rows by
their ids, so that PostgreSQL cannot choose another plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from multitask.money import Money
from multitask.payments.models import HistoryRow, HistoryTotal
from multitask.payments.reads import history_search
from multitask.payments.reads.wallet import Filter
from multitask.payments.states import HistoryStatus

PAGE_SIZE: Final = 25
BATCH: Final = 1000
# How many rows are added up unless all are requested.
MOST_ADDED: Final = 5_000
# Ids follow the times of rows, except for slow commands that others overtook.
_OVERTAKEN: Final = 50
_EDGE: Final = 1_000
BIGGEST_ID: Final = 2**63 - 1
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: rows older than `before`, or those just newer than `after`."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """One page, newest first. `newer` and `older` are where the neighbours begin, None when there are none."""

    rows: list[HistoryRow]
    newer: Cursor | None
    older: Cursor | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of the rows of one currency. Neutral, failed and cancelled rows do not count."""

    currency: str
    rows: int
    money_in: Money
    money_out: Money
    pending_in: Money
    pending_out: Money

    @property
    def net(self) -> Money:
        """Money in minus money out."""
        return self.money_in - self.money_out


def page(user_id: int, wanted: Filter, cursor: Cursor, *, size: int = PAGE_SIZE) -> Rows:
    """Read one page. Two queries; a third for a period or a search."""
    is_upwards = cursor.after is not None
    ids = _ids(user_id, wanted, cursor, size + 1)
    found = list(_related(_matching(ids, wanted)).order_by("pk" if is_upwards else "-pk")[: size + 1])
    has_more, rows = len(found) > size, found[:size]
    if is_upwards:
        if not has_more:
            return page(user_id, wanted, Cursor(), size=size)
        rows.reverse()
        return Rows(rows, Cursor(after=rows[0].pk), Cursor(before=rows[-1].pk))
    newer = Cursor(after=rows[0].pk) if rows and cursor.before is not None else None
    return Rows(rows, newer, Cursor(before=rows[-1].pk) if has_more else None)


def newest(user_id: int, size: int) -> list[HistoryRow]:
    """Return the newest rows. One query."""
    return list(_related(HistoryRow.objects.filter(user_id=user_id)).order_by("-pk")[:size])


def all_rows(user_id: int, wanted: Filter) -> Iterator[HistoryRow]:
    """Yield every matching row, newest first, read in batches."""
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        found = page(user_id, wanted, cursor, size=BATCH)
        yield from found.rows
        cursor = found.older


def totals(user_id: int, wanted: Filter, *, is_exact: bool = False) -> tuple[list[Totals], bool]:
    """Return the sums of matching rows by currency, and False if some rows were left out. Three queries at most.

    Without a period or a search the stored totals are used; else the newest rows are added up, all with `is_exact`.
    """
    if not (wanted.search or wanted.start or wanted.end):
        kept = HistoryTotal.objects.filter(user_id=user_id, **_exact(wanted), rows__gt=0)
        columns = kept.values_list("currency", "status", "direction", "rows", "amount_minor")
        return _added(columns), True
    if is_exact:
        whole = HistoryRow.objects.filter(user_id=user_id, **_exact(wanted))
        if wanted.search:
            whole = history_search.matching(whole, user_id, wanted.search)
        return _added(_grouped(_within(whole, wanted))), True
    most = history_search.MOST_FOUND if wanted.search else MOST_ADDED
    ids = _ids(user_id, wanted, Cursor(), most + 1)
    return _added(_grouped(_matching(ids[:most], wanted))), len(ids) <= most


def _grouped(rows: QuerySet[HistoryRow]) -> QuerySet[HistoryRow, Any]:
    groups = rows.order_by().values_list("currency", "status", "direction")
    return groups.annotate(rows=Count("pk"), amount=Sum("amount_minor"))


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


# -- which rows are looked at


def _exact(wanted: Filter) -> dict[str, str]:
    fields = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
    return {name: value for name, value in fields.items() if value}


_NEWEST: Final = """
SELECT newest.id
  FROM (SELECT DISTINCT user_id, type, status, currency FROM payments_historytotal
         WHERE user_id = %s AND %s IN (type, '') AND %s IN (status, '') AND %s IN (currency, '')
           AND rows > 0) AS kind
 CROSS JOIN LATERAL (
       SELECT row.id FROM payments_historyrow AS row
        WHERE row.user_id = kind.user_id AND row.type = kind.type AND row.status = kind.status
          AND row.currency = kind.currency AND row.id > %s AND row.id < %s
        ORDER BY row.id {order} LIMIT %s) AS newest
 ORDER BY newest.id {order} LIMIT %s
"""


def _ids(user_id: int, wanted: Filter, cursor: Cursor, reach: int) -> list[int]:
    """Return the ids of the first `reach` rows that match the filter; a few more for a period."""
    lowest, highest = _span(user_id, wanted)
    above = max(lowest - 1, cursor.after or 0)
    below = min(highest + 1, cursor.before or BIGGEST_ID)
    limit = reach + (_OVERTAKEN if wanted.start or wanted.end else 0)
    if wanted.search:
        rows = HistoryRow.objects.filter(user_id=user_id, pk__gt=above, pk__lt=below, **_exact(wanted))
        found = history_search.newest(rows, user_id, wanted.search, is_upwards=cursor.after is not None)
        return list(found[:limit])
    sql = _NEWEST.format(order="ASC" if cursor.after is not None else "DESC")
    values: list[int | str] = [user_id, wanted.type, wanted.status, wanted.currency, above, below, limit, limit]
    with connection.cursor() as database:
        database.execute(sql, values)
        return [row[0] for row in database.fetchall()]


_EDGES: Final = """
SELECT (SELECT min(id) FROM (SELECT id FROM payments_historyrow
         WHERE user_id = %(user)s AND created_at >= %(start)s ORDER BY created_at LIMIT %(edge)s) AS first),
       (SELECT max(id) FROM (SELECT id FROM payments_historyrow
         WHERE user_id = %(user)s AND created_at < %(end)s ORDER BY created_at DESC LIMIT %(edge)s) AS last)
"""


def _span(user_id: int, wanted: Filter) -> tuple[int, int]:
    """Return the lowest and highest id possible in the period, so that the index can be used."""
    if wanted.start is None and wanted.end is None:
        return 1, BIGGEST_ID - 1
    moments = {"start": wanted.start or _FIRST, "end": wanted.end or _LAST}
    with connection.cursor() as database:
        database.execute(_EDGES, {"user": user_id, "edge": _EDGE, **moments})
        ((lowest, highest),) = database.fetchall()
    return (1, 0) if lowest is None or highest is None else (lowest, highest)


def _matching(ids: list[int], wanted: Filter) -> QuerySet[HistoryRow]:
    return _within(HistoryRow.objects.filter(pk__in=ids), wanted)


def _within(rows: QuerySet[HistoryRow], wanted: Filter) -> QuerySet[HistoryRow]:
    """Select the rows of the period."""
    if wanted.start is not None:
        rows = rows.filter(created_at__gte=wanted.start)
    return rows if wanted.end is None else rows.filter(created_at__lt=wanted.end)


def _related(rows: QuerySet[HistoryRow]) -> QuerySet[HistoryRow]:
    return rows.select_related("escrow__agreement", "sender", "recipient", "refund", "withdrawal")
