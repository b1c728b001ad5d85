"""Delete rows whose time is over: in batches, each in a short transaction of its own, so that nothing waits for it.

A run that is broken off has deleted what it has deleted; the next run goes on. A run ends after `MOST` rows of a table,
so that a first run on a large table does not occupy its thread for hours.
"""

from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from multitask.database import transactions

BATCH: Final = 1_000
MOST: Final = 50_000


def delete(rows: QuerySet[Any], *, most: int = MOST) -> int:
    """Delete the rows that a query selects, whose condition an index answers; return how many.

    The condition is checked again by the statement that deletes, so a row that changes meanwhile stays.
    """
    deleted = 0
    while deleted < most:
        ids = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
        gone = _delete_some(rows, ids)
        deleted += gone
        if len(ids) < BATCH or not gone:
            break
    return deleted


def delete_oldest(rows: QuerySet[Any], *, at: str, before: datetime, most: int = MOST) -> int:
    """Delete the rows whose time `at` is before a moment, where no index has that time; return how many.

    Ids follow the time nearly, so it reads from the lowest id and ends at the first row that is too young.
    """
    deleted = 0
    while deleted < most:
        found = list(rows.order_by("pk").values_list("pk", at)[:BATCH])
        ids = [row_id for row_id, moment in found if moment < before]
        deleted += _delete_some(rows, ids)
        if len(ids) < BATCH:
            break
    return deleted


def _delete_some(rows: QuerySet[Any], ids: list[Any]) -> int:
    if not ids:
        return 0
    deleted, _ = transactions.run(lambda: rows.order_by().filter(pk__in=ids).delete())
    return int(deleted)
