"""Queries: current and past balances, statements, transactions. Nothing here writes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from multitask.ledger import errors
from multitask.money import Money


@dataclass(frozen=True, slots=True)
class Entry:
    """One posted leg.

    `sequence` and `balance_after` count within one shard of the account; most accounts have only one. `recorded_at`
    is the time of the posting, `effective_at` the time of the event that it books.
    """

    transaction_id: UUID
    position: int
    account: str
    shard: int
    sequence: int
    amount: Money
    balance_after: Money
    kind: str
    description: str
    effective_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Transaction:
    """A posted transaction: its header, and its entries in the order in which they were posted."""

    id: UUID
    kind: str
    scope: str
    key: str
    effective_at: datetime
    created_at: datetime
    reverses: UUID | None
    description: str
    details: dict[str, str]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """The entries of an account from `start` to before `end`; opening + entries = closing.

    If `is_final` is False, postings that are not committed yet may still add entries to this period.
    """

    account: str
    start: datetime
    end: datetime
    opening: Money
    entries: tuple[Entry, ...]
    closing: Money
    is_final: bool


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """The turnover and balance (credits - debits) of one account, summed over its shards."""

    account: str
    currency: str
    debits: Money
    credits: Money
    balance: Money


def balance(code: str, currency: str) -> Money:
    """Return the current balance of an account; zero if nothing was ever posted to it."""
    return balances([code]).get((code, currency), Money.zero(currency))


def balances(codes: Iterable[str]) -> dict[tuple[str, str], Money]:
    """Return the balances of several accounts in one query, by code and currency, without those that do not exist."""
    rows = _rows(
        """
        SELECT account.code, account.currency, sum(balance.balance_minor)::bigint
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         WHERE account.code = ANY (%s::text[]) GROUP BY account.id
        """,
        [list(codes)],
    )
    return {(code, currency): Money(minor, currency) for code, currency, minor in rows}


def turnover(code: str, currency: str) -> tuple[Money, Money]:
    """Return the sum of all debits and the sum of all credits of an account, both as positive amounts."""
    ((debited, credited),) = _rows(
        """
        SELECT coalesce(sum(balance.debits_minor), 0)::bigint, coalesce(sum(balance.credits_minor), 0)::bigint
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         WHERE account.code = %s AND account.currency = %s
        """,
        [code, currency],
    )
    return Money(debited, currency), Money(credited, currency)


def trial_balance() -> list[TrialBalanceRow]:
    """Return all accounts with turnover and balance, by currency and code; the balances of a currency sum to zero."""
    rows = _rows(
        """
        SELECT account.code, account.currency, sum(balance.debits_minor)::bigint,
               sum(balance.credits_minor)::bigint, sum(balance.balance_minor)::bigint
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         GROUP BY account.id ORDER BY account.currency, account.code
        """,
        [],
    )
    return [
        TrialBalanceRow(code, currency, *(Money(minor, currency) for minor in figures))
        for code, currency, *figures in rows
    ]


def closed_until() -> datetime:
    """Return the time before which no entry will be recorded any more.

    It is now, or the start of the oldest transaction of another connection that is posting. It relies on a
    database clock that is never set back (configure it to be slewed) and on READ COMMITTED in the caller's transaction.
    """
    ((at,),) = _rows("SELECT ledger_closed_until()", [])
    return at  # type: ignore[no-any-return]


def balance_as_of(code: str, currency: str, at: datetime) -> Money:
    """Return the balance of all entries recorded before `at`; it no longer changes once `at <= closed_until()`."""
    ((minor,),) = _rows(
        """
        SELECT coalesce(sum(entry.balance_after_minor), 0)::bigint
          FROM ledger_account account
          JOIN ledger_balance balance ON balance.account_id = account.id
          JOIN ledger_entry entry ON entry.account_id = balance.account_id AND entry.shard = balance.shard
           AND entry.sequence = ledger_sequence_before(balance.account_id, balance.shard, %s)
         WHERE account.code = %s AND account.currency = %s
        """,
        [at, code, currency],
    )
    return Money(minor, currency)


def moved(
    code: str, *, scope: str, keys: Sequence[str], before: datetime | None = None
) -> dict[tuple[str, str], Money]:
    """Return what the transactions with these keys moved in an account, by key and currency.

    With `before`, only by entries recorded before that moment. Keys without such an entry are left out.
    """
    rows = _rows(
        """
        SELECT header.key, account.currency, sum(entry.amount_minor)::bigint
          FROM ledger_transaction header
          JOIN ledger_entry entry ON entry.transaction_id = header.id
          JOIN ledger_account account ON account.id = entry.account_id AND account.code = %s
         WHERE header.scope = %s AND header.key = ANY (%s::text[])
           AND (%s::timestamptz IS NULL OR entry.created_at < %s::timestamptz)
         GROUP BY header.key, account.currency
        """,
        [code, scope, list(keys), before, before],
    )
    return {(key, currency): Money(minor, currency) for key, currency, minor in rows}


def each_account(*, batch: int = 1000) -> Iterator[TrialBalanceRow]:
    """Yield the rows of the trial balance by code and currency, read in batches: memory does not grow with them.

    Unlike `trial_balance` it is not of one moment if others post meanwhile.
    """
    code, currency = "", ""
    while True:
        rows = _rows(
            """
            SELECT page.code, page.currency, sum(balance.debits_minor)::bigint,
                   sum(balance.credits_minor)::bigint, sum(balance.balance_minor)::bigint
              FROM (SELECT id, code, currency FROM ledger_account WHERE (code, currency) > (%s, %s)
                     ORDER BY code, currency LIMIT %s) page
              JOIN ledger_balance balance ON balance.account_id = page.id
             GROUP BY page.code, page.currency ORDER BY page.code, page.currency
            """,
            [code, currency, batch],
        )
        for code, currency, *figures in rows:
            yield TrialBalanceRow(code, currency, *(Money(minor, currency) for minor in figures))
        if not rows:
            return


def totals() -> list[tuple[str, int, int, int]]:
    """Return for each currency the number of accounts, and the sums of debits and credits in minor units.

    Plain integers, since a sum over all accounts may exceed the range of Money.
    """
    return [
        (currency, accounts, int(debits), int(credited))
        for currency, accounts, debits, credited in _rows(
            """
            SELECT account.currency, count(DISTINCT account.id), sum(balance.debits_minor), sum(balance.credits_minor)
              FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
             GROUP BY account.currency ORDER BY account.currency
            """,
            [],
        )
    ]


def currencies(code: str) -> list[str]:
    """Return the currencies in which an account exists."""
    rows = _rows("SELECT currency FROM ledger_account WHERE code = %s ORDER BY currency", [code])
    return [currency for (currency,) in rows]


def statement(code: str, currency: str, start: datetime, end: datetime) -> Statement:
    """Return the statement of an account: the entries recorded from `start` to before `end`, oldest first.

    Raises ValueError if `end` is before `start`.
    """
    if end < start:
        raise ValueError("the end of a statement must not be before its start")
    is_final = end <= closed_until()
    rows = _rows(
        """
        WITH span AS MATERIALIZED (
            SELECT balance.account_id, balance.shard,
                   ledger_sequence_before(balance.account_id, balance.shard, %s) AS opening,
                   ledger_sequence_before(balance.account_id, balance.shard, %s) AS closing
              FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
             WHERE account.code = %s AND account.currency = %s
        )
        SELECT line.*
          FROM span JOIN ledger_line line ON line.account_id = span.account_id AND line.shard = span.shard
           AND line.sequence > span.opening AND line.sequence <= span.closing
         ORDER BY line.created_at, line.shard, line.sequence
        """,
        [start, end, code, currency],
    )
    lines = tuple(entry_of_line(row) for row in rows)
    opening = balance_as_of(code, currency, start)
    closing = Money(opening.amount_minor + sum(line.amount.amount_minor for line in lines), currency)
    return Statement(code, start, end, opening, lines, closing, is_final)


def entries(code: str, currency: str, *, limit: int = 50, before: Entry | None = None) -> list[Entry]:
    """Return the newest entries of an account, newest first; with `before`, those that are older than that entry.

    The cost does not depend on the number of entries of the account or on the age of `before`.
    """
    rows = _rows(
        """
        WITH shard_top AS MATERIALIZED (
            SELECT balance.account_id, balance.shard, CASE
                   WHEN %(at)s::timestamptz IS NULL THEN balance.sequence
                   WHEN balance.shard = %(shard)s::smallint THEN %(sequence)s::bigint - 1
                   ELSE ledger_sequence_before(balance.account_id, balance.shard, %(at)s::timestamptz
                        + (balance.shard < %(shard)s::smallint)::int * interval '1 microsecond')
                   END AS top
              FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
             WHERE account.code = %(code)s AND account.currency = %(currency)s
        )
        SELECT line.*
          FROM shard_top
         CROSS JOIN LATERAL (
                SELECT * FROM ledger_line candidate
                 WHERE candidate.account_id = shard_top.account_id AND candidate.shard = shard_top.shard
                   AND candidate.sequence <= shard_top.top
                 ORDER BY candidate.sequence DESC LIMIT %(limit)s) line
         ORDER BY line.created_at DESC, line.shard DESC, line.sequence DESC LIMIT %(limit)s
        """,
        {
            "code": code,
            "currency": currency,
            "limit": limit,
            "at": before.recorded_at if before else None,
            "shard": before.shard if before else None,
            "sequence": before.sequence if before else None,
        },
    )
    return [entry_of_line(row) for row in rows]


def transaction(transaction_id: UUID) -> Transaction:
    """Return a transaction with its entries in the order in which they were posted. Raises UnknownTransaction."""
    headers = _rows(
        """
        SELECT id, kind, scope, key, effective_at, created_at, reverses, description, details::text
          FROM ledger_transaction WHERE id = %s
        """,
        [transaction_id],
    )
    if not headers:
        raise errors.UnknownTransaction
    legs = _rows("SELECT * FROM ledger_line WHERE transaction_id = %s ORDER BY position", [transaction_id])
    ((found_id, kind, scope, key, effective_at, created_at, reverses, description, details),) = headers
    return Transaction(
        found_id,
        kind,
        scope,
        key,
        effective_at,
        created_at,
        reverses,
        description,
        json.loads(details),
        tuple(entry_of_line(row) for row in legs),
    )


def _rows(sql: str, parameters: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one query on the primary."""
    with errors.translated(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def entry_of_line(row: tuple[Any, ...]) -> Entry:
    """Convert one row of the view ledger_line."""
    transaction_id, position, code, currency, shard, sequence, amount, after, *rest, _account_id = row
    return Entry(
        transaction_id, position, code, shard, sequence, Money(amount, currency), Money(after, currency), *rest
    )
