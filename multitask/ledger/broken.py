"""The invariants of other packages that a proof found broken: each later proof checks them until they hold again.

Checkpoints say what the ledger's own proof has covered. They move on past a row of another package that is wrong, so
the next proof would not read that row again by itself.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection

from multitask import database


def found() -> dict[str, datetime]:
    """Return the names of the invariants that were found broken, each with when it was last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, found_at FROM ledger_broken ORDER BY name")
        return dict(cursor.fetchall())


def add(names: Iterable[str]) -> None:
    """Remember that these invariants are broken."""
    wanted = sorted(set(names))
    if wanted:
        database.run(lambda: _add(wanted))


def remove(holding: Mapping[str, datetime]) -> None:
    """Forget invariants that hold again, each unless another proof has found it broken since."""
    if holding:
        database.run(lambda: _remove(holding))


def _add(names: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_broken (name) SELECT unnest(%s::text[])
                ON CONFLICT (name) DO UPDATE SET found_at = excluded.found_at
            """,
            [names],
        )


def _remove(holding: Mapping[str, datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM ledger_broken USING unnest(%s::text[], %s::timestamptz[]) AS holds (name, found_at)
             WHERE ledger_broken.name = holds.name AND ledger_broken.found_at = holds.found_at
            """,
            [list(holding), list(holding.values())],
        )
