"""Limits of calls that a provider sets for the platform: counted in the database, for all processes together.

Each allowed call takes the slot that was unused for longest, so that within any period no more calls are made than
there are slots. The database's clock counts. No transaction is open while the call is made.
"""

from datetime import timedelta
from typing import Any, Final

from django.db import connection

from multitask.database.clocks import AHEAD

SHORTEST_WAIT: Final = timedelta(seconds=1)

_TAKE: Final = """
UPDATE providers_callslot SET used_at = statement_timestamp()
 WHERE id = (
    SELECT id FROM providers_callslot
     WHERE name = %(name)s AND number <= %(most)s
       AND (used_at <= statement_timestamp() - %(period)s OR used_at > statement_timestamp() + %(ahead)s)
     ORDER BY used_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_READ: Final = """
SELECT count(*), min(used_at) + %(period)s - statement_timestamp()
  FROM providers_callslot WHERE name = %(name)s AND number <= %(most)s
"""
_PREPARE: Final = """
INSERT INTO providers_callslot (name, number, used_at)
SELECT %(name)s, number, statement_timestamp() - %(period)s FROM generate_series(1, %(most)s) AS number
    ON CONFLICT (name, number) DO NOTHING
"""


def take(name: str, *, most: int, period: timedelta) -> timedelta | None:
    """Count one call of a kind, of which `most` may be made within any `period`.

    Return None if it may be made now, else for how long to wait; then it is not counted.
    """
    values: dict[str, Any] = {"name": name, "most": most, "period": period, "ahead": AHEAD}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        if cursor.fetchone() is not None:
            return None
        cursor.execute(_READ, values)
        slots: int
        wait: timedelta
        slots, wait = cursor.fetchone() or (0, SHORTEST_WAIT)
        if slots >= most:
            return max(wait, SHORTEST_WAIT)
        cursor.execute(_PREPARE, values)
        cursor.execute(_TAKE, values)
        return None if cursor.fetchone() is not None else SHORTEST_WAIT
