"""Amounts, accounts and postings for the tests of the ledger."""

import itertools
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader

from multitask import ledger
from multitask.database import Statement
from multitask.ledger import AccountRef, Leg, Posting
from multitask.money import Money

SCOPE = "test"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BANK = AccountRef("bank", floor_minor=None)
HOT_BANK = AccountRef("bank:hot", floor_minor=None, shards=32)
FEES = AccountRef("fees", floor_minor=None, shards=32)

_numbers = itertools.count(1)


# The tests that are run with each function that posts choose it here (`conftest.py`).
_chosen = "post"
_POST_REQUEST = Statement(f"SELECT posting_id, created FROM ledger_post_request({ledger.REQUEST_SQL})")


def write_with(chosen: str) -> None:
    """Choose the function with which `write` posts."""
    global _chosen
    _chosen = chosen


def write(**arguments: Any) -> Posting:
    """Post one transaction with the chosen function, inside the caller's database transaction."""
    if _chosen == "post":
        return ledger.post(**arguments)
    if _chosen == "post_with":
        ((posting_id, created),) = ledger.post_with(_POST_REQUEST, {}, ledger.Request(**arguments))
        return Posting(posting_id, created)
    (posting,) = ledger.post_many([ledger.Request(**arguments)])
    return posting


def ledger_sql() -> list[str]:
    """Return the SQL of the ledger's migration, in the order in which it is applied."""
    migration = MigrationLoader(None).disk_migrations["ledger", "0001_initial"]
    return [text for operation in migration.operations if isinstance(operation, RunSQL) for text in operation.sql]


def usd(amount_minor: int) -> Money:
    """Return an amount in USD."""
    return Money(amount_minor, "USD")


def fresh_key() -> str:
    """Return a key that no other posting has."""
    return f"{next(_numbers)}:{uuid.uuid4().hex[:8]}"


def post(moves: Mapping[AccountRef, Money], key: str | None = None, kind: str = "moved", **more: Any) -> Posting:
    """Post one leg per account, in a database transaction of its own."""
    legs = [Leg(account, amount) for account, amount in moves.items()]
    with transaction.atomic():
        return write(
            **{"kind": kind, "scope": SCOPE, "key": key or fresh_key(), "legs": legs, "effective_at": NOON, **more}
        )


def move(source: AccountRef, target: AccountRef, amount_minor: int, key: str | None = None, **more: Any) -> Posting:
    """Move cents from one account to another."""
    return post({source: usd(-amount_minor), target: usd(amount_minor)}, key, **more)


def cents(account: AccountRef) -> int:
    """Return the balance of an account in USD, in cents."""
    return ledger.balance(account.code, "USD").amount_minor


def rows(sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def count_of(table: str) -> int:
    """Return the number of rows of a table."""
    return int(rows(f"SELECT count(*) FROM {table}")[0][0])


def settle_constraints() -> None:
    """Run the deferred constraint triggers now, and defer later ones again."""
    rows("SET CONSTRAINTS ALL IMMEDIATE")
    rows("SET CONSTRAINTS ALL DEFERRED")
