"""The invariants of the ledger for a range of transactions: each is proven from these alone, by index.

`invariants.py` proves the same of all transactions at once. Here an entry is compared with the entry before it on its
account, so if this holds for every range, sequences have no gaps and running balances add up; and the balances of the
accounts that the range touches are compared with their newest entries. Each query is short and reads one snapshot, so
it is correct while others post. What remains for the full proof: debits and credits of accounts with many entries
(their difference, the balance, is proven here), and balances of accounts that no range of this proof touches.
"""

# The queries are put together from the constants of this module.
# ruff: noqa: S608

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

# Of accounts with more entries, debits and credits are not added up.
MOST_ENTRIES: Final = 100
LAST_ID: Final = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Range:
    """The transactions with ids after `after`, up to `until`."""

    after: UUID
    until: UUID


_ENTRIES: Final = """
    (SELECT * FROM ledger_entry
      WHERE transaction_id > %(after)s::uuid AND transaction_id <= %(until)s::uuid OFFSET 0) entry
"""
_HEADERS: Final = """
    (SELECT * FROM ledger_transaction WHERE id > %(after)s::uuid AND id <= %(until)s::uuid OFFSET 0) header
"""
# OFFSET 0, here and below, keeps the planner at one look-up by index for each row: by its own estimates it would read
# all accounts for a thousand entries, which takes longer the more there are.
_ACCOUNT_OF: Final = """
    JOIN LATERAL (SELECT * FROM ledger_account known WHERE known.id = {row}.account_id OFFSET 0) account ON true
"""
# Each entry of the range with the one before it on its account.
_STEPS: Final = f"""
    {_ENTRIES} LEFT JOIN LATERAL (
        SELECT sequence, balance_after_minor, created_at FROM ledger_entry before
         WHERE before.account_id = entry.account_id AND before.shard = entry.shard
           AND before.sequence = entry.sequence - 1 OFFSET 0) earlier ON true
"""
# Each balance of the accounts that the range touches, with its newest entry.
_BALANCES: Final = f"""
    (SELECT DISTINCT account_id FROM {_ENTRIES}) touched
    CROSS JOIN LATERAL (SELECT * FROM ledger_balance kept WHERE kept.account_id = touched.account_id OFFSET 0) balance
    LEFT JOIN LATERAL (
        SELECT sequence, balance_after_minor, created_at FROM ledger_entry newest
         WHERE newest.account_id = balance.account_id AND newest.shard = balance.shard
         ORDER BY sequence DESC LIMIT 1) latest ON true
"""

QUERIES: Final = {
    "transactions_sum_to_zero": f"""
        SELECT format('transaction %%s sums to %%s %%s', transaction_id, sum(amount_minor), currency)
          FROM {_ENTRIES} GROUP BY transaction_id, currency HAVING sum(amount_minor) <> 0
    """,
    "transactions_are_whole": f"""
        SELECT format('transaction %%s announced %%s legs and has %%s that move something',
                      coalesce(header.id, written.transaction_id), coalesce(header.legs::text, 'no'),
                      coalesce(written.legs, 0))
          FROM {_HEADERS}
          FULL JOIN (SELECT transaction_id, count(nullif(amount_minor, 0)) AS legs, max(position) AS last
                       FROM {_ENTRIES} GROUP BY transaction_id) written ON written.transaction_id = header.id
         WHERE (header.legs >= 2 AND written.legs = header.legs AND written.last = header.legs) IS NOT TRUE
    """,
    "keys_name_one_request": f"""
        SELECT format('key %%s of scope %%s names several transactions', header.key, header.scope) FROM {_HEADERS}
         WHERE EXISTS (SELECT FROM ledger_transaction other
                        WHERE other.scope = header.scope AND other.key = header.key AND other.id <> header.id OFFSET 0)
         UNION ALL
        SELECT format('transaction %%s is not what was asked for under its key', header.id)
          FROM {_HEADERS} CROSS JOIN LATERAL (
                SELECT array_agg(account.code ORDER BY leg.position) AS codes,
                       array_agg(account.currency ORDER BY leg.position) AS currencies,
                       array_agg(leg.amount_minor ORDER BY leg.position) AS amounts
                  FROM ledger_entry leg {_ACCOUNT_OF.format(row="leg")}
                 WHERE leg.transaction_id = header.id) asked
         WHERE header.request_hash <> ledger_request_hash(header.kind, header.reverses, asked.codes, asked.currencies,
                                                          asked.amounts)
    """,
    "reversed_at_most_once": f"""
        SELECT format('transaction %%s reverses %%s, which is not in the books or is reversed twice',
                      header.id, header.reverses)
          FROM {_HEADERS}
         WHERE header.reverses IS NOT NULL
           AND (NOT EXISTS (SELECT FROM ledger_transaction target WHERE target.id = header.reverses OFFSET 0)
                OR EXISTS (SELECT FROM ledger_transaction other
                            WHERE other.reverses = header.reverses AND other.id <> header.id OFFSET 0))
    """,
    "recorded_at_one_moment": f"""
        SELECT format('transaction %%s of %%s was recorded from %%s to %%s', header.id, header.created_at,
                      recorded.first, recorded.last)
          FROM {_HEADERS} CROSS JOIN LATERAL (
                SELECT min(created_at) AS first, max(created_at) AS last FROM ledger_entry entry
                 WHERE entry.transaction_id = header.id) recorded
         WHERE recorded.first <> recorded.last OR recorded.first < header.created_at
    """,
    "sequences_have_no_gaps": f"""
        SELECT format('account %%s shard %%s: sequence %%s follows nothing', entry.account_id, entry.shard,
                      entry.sequence)
          FROM {_STEPS}
         WHERE (entry.sequence = 1) IS DISTINCT FROM (earlier.sequence IS NULL) OR entry.sequence < 1
         UNION ALL
        SELECT format('account %%s shard %%s counts %%s entries, the newest is number %%s', balance.account_id,
                      balance.shard, balance.sequence, coalesce(latest.sequence, 0))
          FROM {_BALANCES} WHERE balance.sequence IS DISTINCT FROM coalesce(latest.sequence, 0)
    """,
    "running_balances_add_up": f"""
        SELECT format('account %%s shard %%s sequence %%s: %%s after %%s does not leave %%s', entry.account_id,
                      entry.shard, entry.sequence, entry.amount_minor, coalesce(earlier.balance_after_minor, 0),
                      entry.balance_after_minor)
          FROM {_STEPS}
         WHERE coalesce(earlier.balance_after_minor, 0)::numeric + entry.amount_minor <> entry.balance_after_minor
    """,
    "moments_never_go_back": f"""
        SELECT format('account %%s shard %%s sequence %%s was recorded before its predecessor', entry.account_id,
                      entry.shard, entry.sequence)
          FROM {_STEPS} WHERE entry.created_at < earlier.created_at
         UNION ALL
        SELECT format('account %%s shard %%s says it last moved at %%s', balance.account_id, balance.shard,
                      balance.recorded_at)
          FROM {_BALANCES} WHERE balance.recorded_at IS DISTINCT FROM latest.created_at
    """,
    "balances_are_sums_of_entries": f"""
        SELECT format('account %%s shard %%s has debits %%s, credits %%s, balance %%s; its newest entry leaves %%s',
                      balance.account_id, balance.shard, balance.debits_minor, balance.credits_minor,
                      balance.balance_minor, coalesce(latest.balance_after_minor, 0))
          FROM {_BALANCES}
         WHERE balance.balance_minor <> coalesce(latest.balance_after_minor, 0)
            OR balance.credits_minor::numeric - balance.debits_minor <> balance.balance_minor
            OR CASE WHEN balance.sequence <= {MOST_ENTRIES} THEN balance.credits_minor <> (
                    SELECT coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0) FROM ledger_entry credited
                     WHERE credited.account_id = balance.account_id AND credited.shard = balance.shard) END
    """,
    "floors_hold": f"""
        SELECT format('account %%s fell to %%s at sequence %%s, below its floor of %%s', account.code,
                      entry.balance_after_minor, entry.sequence, account.floor_minor)
          FROM {_ENTRIES} {_ACCOUNT_OF.format(row="entry")}
         WHERE entry.balance_after_minor < account.floor_minor
         UNION ALL
        SELECT format('account %%s shard %%s is kept above %%s, its account above %%s', account.code, balance.shard,
                      balance.floor_minor, account.floor_minor)
          FROM {_BALANCES} {_ACCOUNT_OF.format(row="balance")}
         WHERE balance.floor_minor IS DISTINCT FROM account.floor_minor
            OR balance.balance_minor < account.floor_minor
    """,
    "accounts_are_whole": f"""
        SELECT format('account %%s has %%s of its %%s shards', account.code, kept.shards, account.shards)
          FROM (SELECT DISTINCT account_id FROM {_ENTRIES}) touched
          {_ACCOUNT_OF.format(row="touched")}
         CROSS JOIN LATERAL (SELECT count(*) AS shards FROM ledger_balance balance
                              WHERE balance.account_id = account.id AND balance.shard < account.shards) kept
         WHERE kept.shards <> account.shards
         UNION ALL
        SELECT format('%%s of transaction %%s is on account %%s shard %%s, which is none or has another currency',
                      entry.amount_minor, entry.transaction_id, entry.account_id, entry.shard)
          FROM {_ENTRIES} LEFT {_ACCOUNT_OF.format(row="entry").strip()}
         WHERE (entry.shard >= 0 AND entry.shard < account.shards AND entry.currency = account.currency) IS NOT TRUE
    """,
}

_NAMES: Final = f"""
    SELECT account.code FROM (SELECT DISTINCT account_id FROM {_ENTRIES}) touched
      {_ACCOUNT_OF.format(row="touched")}
     UNION
    SELECT header.key FROM {_HEADERS}
"""


def violations(part: Range, most: int) -> Iterator[tuple[str, str]]:
    """Yield the invariants that the range breaks, each with one sentence, at most `most` of each invariant."""
    for name, query in QUERIES.items():
        rows = _rows(f"SELECT detail FROM ({query}) found (detail) LIMIT {int(most)}", part)
        yield from ((name, detail) for (detail,) in rows)


def names(part: Range) -> frozenset[str]:
    """Return the codes of the accounts that the range moved, and the keys of its transactions."""
    return frozenset(name for (name,) in _rows(_NAMES, part))


def end_of(after: UUID, transactions: int) -> UUID | None:
    """Return the id of the transaction this many after `after`, or None if there are not so many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM ledger_transaction WHERE id > %s ORDER BY id OFFSET %s LIMIT 1", [after, transactions - 1]
        )
        row = cursor.fetchone()
    return None if row is None else row[0]


def _rows(sql: str, part: Range) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"after": part.after, "until": part.until})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
