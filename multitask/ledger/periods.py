"""Accounts over time: balances at several moments, and the entries of a period, of several accounts at once.

A balance at a moment is found by binary search over the entries of the account; of a period, no more entries are
read than asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from multitask.ledger import errors
from multitask.ledger.reading import Entry, entry_of_line
from multitask.money import Money

BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """The balance of an account before `at`, and the number of its entries recorded before `at`."""

    at: datetime
    balance: Money
    entries: int


@dataclass(frozen=True, slots=True)
class Movement:
    """The sums of the entries between each two moments.

    `complete_since` is set if there were too many entries to add up: older ones than this are not in the sums.
    """

    sums: tuple[Money, ...]
    complete_since: datetime | None


def readings(codes: Sequence[str], currency: str, moments: Sequence[datetime]) -> dict[str, list[Reading]]:
    """Return the balances of several accounts at several moments in one query; zero for accounts that do not exist."""
    found = _rows(
        """
        SELECT held.code, moment.number, coalesce(found.sequence, 0), coalesce(entry.balance_after_minor, 0)
          FROM (SELECT account.code, balance.account_id, balance.shard
                  FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code = ANY (%s::text[]) AND account.currency = %s) AS held
         CROSS JOIN unnest(%s::timestamptz[]) WITH ORDINALITY AS moment (at, number)
         CROSS JOIN LATERAL (
               SELECT ledger_sequence_before(held.account_id, held.shard, moment.at) AS sequence OFFSET 0) AS found
          LEFT JOIN LATERAL (
               SELECT candidate.balance_after_minor FROM ledger_entry candidate
                WHERE candidate.account_id = held.account_id AND candidate.shard = held.shard
                  AND candidate.sequence = found.sequence LIMIT 1) AS entry ON true
        """,
        [list(codes), currency, list(moments)],
    )
    counts = {code: [[0, 0] for _ in moments] for code in codes}
    for code, number, entries, balance in found:  # One row per shard.
        counts[code][number - 1][0] += entries
        counts[code][number - 1][1] += balance
    return {
        code: [Reading(at, Money(minor, currency), n) for at, (n, minor) in zip(moments, each, strict=True)]
        for code, each in counts.items()
    }


def movement(
    code: str, currency: str, kinds: Sequence[str], moments: Sequence[datetime], *, most: int = 3000
) -> Movement:
    """Add up the entries of an account that has one shard, by transactions of these kinds, between each two moments.

    Reads at most the `most` newest entries of the whole period; `complete_since` is set if there are more.
    """
    found = _rows(
        """
        WITH span AS MATERIALIZED (
            SELECT balance.account_id, balance.shard,
                   ledger_sequence_before(balance.account_id, balance.shard, %(start)s) AS opening,
                   ledger_sequence_before(balance.account_id, balance.shard, %(end)s) AS closing
              FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
             WHERE account.code = %(code)s AND account.currency = %(currency)s
        )
        SELECT width_bucket(entry.created_at, %(moments)s::timestamptz[]) AS bucket, min(entry.created_at),
               coalesce(sum(entry.amount_minor) FILTER (WHERE header.kind = ANY (%(kinds)s::text[])), 0)::bigint,
               bool_or(span.closing - span.opening > %(most)s)
          FROM span
          JOIN ledger_entry entry ON entry.account_id = span.account_id AND entry.shard = span.shard
           AND entry.sequence > greatest(span.opening, span.closing - %(most)s) AND entry.sequence <= span.closing
          JOIN ledger_transaction header ON header.id = entry.transaction_id
         GROUP BY bucket ORDER BY bucket
        """,
        {
            "code": code,
            "currency": currency,
            "kinds": list(kinds),
            "moments": list(moments),
            "start": moments[0],
            "end": moments[-1],
            "most": most,
        },
    )
    sums = [0] * (len(moments) - 1)
    for bucket, _earliest, moved, _is_cut in found:
        sums[bucket - 1] += moved
    is_cut = bool(found) and found[0][3]
    return Movement(tuple(Money(minor, currency) for minor in sums), found[0][1] if is_cut else None)


def entries_between(codes: Sequence[str], currency: str, start: datetime, end: datetime, *, limit: int) -> list[Entry]:
    """Return the first `limit` entries of several accounts that were recorded from `start` to before `end`."""
    rows = _rows(
        """
        SELECT line.*
          FROM (SELECT balance.account_id, balance.shard,
                       ledger_sequence_before(balance.account_id, balance.shard, %(start)s) AS opening,
                       ledger_sequence_before(balance.account_id, balance.shard, %(end)s) AS closing
                  FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code = ANY (%(codes)s::text[]) AND account.currency = %(currency)s
                OFFSET 0) AS span
         CROSS JOIN LATERAL (
               SELECT * FROM ledger_line candidate
                WHERE candidate.account_id = span.account_id AND candidate.shard = span.shard
                  AND candidate.sequence > span.opening AND candidate.sequence <= span.closing
                ORDER BY candidate.sequence LIMIT %(limit)s) AS line
         ORDER BY line.created_at, line.transaction_id, line.position LIMIT %(limit)s
        """,
        {"codes": list(codes), "currency": currency, "start": start, "end": end, "limit": limit},
    )
    return [entry_of_line(row) for row in rows]


def all_entries_between(
    codes: Sequence[str], currency: str, start: datetime, end: datetime, *, batch_size: int = BATCH
) -> Iterator[Entry]:
    """Yield all entries of a period. They are read in batches, so memory use does not grow with their number."""
    seen: set[tuple[object, int]] = set()
    limit = batch_size
    while True:
        batch = entries_between(codes, currency, start, end, limit=limit)
        yield from (entry for entry in batch if (entry.transaction_id, entry.position) not in seen)
        if len(batch) < limit:
            return
        # The next batch starts at the time of the last entry; entries of that same time were already returned.
        limit = limit * 2 if batch[-1].recorded_at == batch[0].recorded_at else batch_size
        seen = set() if batch[-1].recorded_at > start else seen
        start = batch[-1].recorded_at
        seen |= {(entry.transaction_id, entry.position) for entry in batch if entry.recorded_at == start}


def _rows(sql: str, parameters: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one query on the primary."""
    with errors.translated(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
