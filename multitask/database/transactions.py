"""Transactions that are retried after deadlocks and similar errors, and never if the outcome is unknown."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import psycopg
from django.db import Error, connection, transaction
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from multitask.database import errors

ATTEMPTS = 4
LOCK_TIMEOUT_MS = 5_000
# How many items one transaction of a batch takes, and how long it waits for a lock, with which it holds up others.
TOGETHER = 50
TOGETHER_LOCK_TIMEOUT_MS = 500
FIRST_PAUSE_SECONDS = 0.02

T = TypeVar("T")
P = ParamSpec("P")


def in_transaction() -> bool:
    """Return whether the caller is inside a transaction; the one around a test case does not count."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)


def run(function: Callable[[], T], *, attempts: int = ATTEMPTS, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> T:
    """Call `function` in one transaction and return its result.

    Inside an open transaction it joins that one: only the outermost `run` commits and retries.
    `function` may run up to `attempts` times, so its effects outside the database must be repeatable.
    Raises deadlocks, serialization failures, lock timeouts and connections lost before COMMIT only if the last
    attempt fails too; `OutcomeUnknown` and all other errors at once.
    """
    if in_transaction():
        return function()
    # For this transaction alone: a session's setting would leak to others through a pooling proxy.
    return _retried(lambda: _once(function, f"SET LOCAL lock_timeout = {int(lock_timeout_ms)}"), attempts)


def run_together(function: Callable[[], T]) -> T:
    """Call `function`, which changes several items, in one transaction, once.

    It gives up soon where an item is locked. The caller then changes one item after the other, by `run`.
    """
    return run(function, attempts=1, lock_timeout_ms=TOGETHER_LOCK_TIMEOUT_MS)


def transactional(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a command so that each call runs in one transaction, by `run`."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(lambda: function(*args, **kwargs))

    return command


def snapshot(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a read of several statements so that all of them see the database at one moment.

    Each call is one REPEATABLE READ, READ ONLY transaction. It holds no locks that writers wait for. Inside an open
    transaction the read joins that one and sees what it sees. Do nothing else in it: no call to a provider, nothing
    that waits. It runs again when the connection is lost.
    """

    @functools.wraps(function)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        return _retried(lambda: _read_once(lambda: function(*args, **kwargs)), ATTEMPTS)

    return read


def run_on_snapshot(function: Callable[[], T]) -> T:
    """Call `function` in one REPEATABLE READ transaction: all its statements see one moment, and it may write.

    Inside an open transaction it joins that one and sees what it sees. It runs again like `run`.
    """
    if connection.in_atomic_block:
        return function()
    return _retried(lambda: _once(function, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"), ATTEMPTS)


def _retried(once: Callable[[], T], attempts: int) -> T:
    for attempt in range(1, attempts):
        try:
            return once()
        except Error as error:
            if not errors.is_retryable(error):
                raise
        _pause(attempt)
    return once()


def _once(function: Callable[[], T], first_statement: str) -> T:
    with transaction.atomic(durable=True):
        _begin(first_statement)
        return function()


def _begin(first_statement: str) -> None:
    """Begin the transaction that `atomic` would begin with the next statement, in one round trip with its settings."""
    session = connection.connection
    if session.info.transaction_status != TransactionStatus.IDLE:
        # Inside the transaction around a test case.
        with connection.cursor() as cursor:
            cursor.execute(first_statement)
        return
    with connection.wrap_database_errors:
        answer = session.pgconn.exec_(f"BEGIN; {first_statement}".encode())
        if answer.status == ExecStatus.COMMAND_OK:
            return
        if session.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError(session.pgconn.get_error_message())
        raise psycopg.errors.error_from_result(answer)


def _read_once(function: Callable[[], T]) -> T:
    results: list[T] = []
    try:
        _once(lambda: results.append(function()), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    except errors.OutcomeUnknown:
        # Only COMMIT raises it, after everything was read, and there is nothing to commit.
        if not results:
            raise
    return results[0]


def _pause(attempt: int) -> None:
    """Wait with exponential backoff and jitter, so that two transactions that collided do not collide again."""
    ceiling = FIRST_PAUSE_SECONDS * 2**attempt
    time.sleep(random.uniform(ceiling / 4, ceiling))  # noqa: S311
