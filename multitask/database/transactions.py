"""Transactions that run again when the database itself asks for it, and never when the outcome is unknown."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error, connection, transaction

from multitask.database import errors

ATTEMPTS = 4
LOCK_TIMEOUT_MS = 5_000
FIRST_PAUSE_SECONDS = 0.02

T = TypeVar("T")
P = ParamSpec("P")


def in_transaction() -> bool:
    """Whether a transaction is open that the caller would join; the one around a test case does not count."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)


def run(function: Callable[[], T], *, attempts: int = ATTEMPTS, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> T:
    """Call `function` in one transaction and answer what it answers.

    Inside an open transaction it joins that one: the outermost `run` alone commits and retries.
    `function` may run up to `attempts` times, so what it does beside the database must bear that.
    Errors: `OutcomeUnknown` at once; deadlock, serialization failure, lock timeout and a connection lost before
    COMMIT only when they last through every attempt; everything else at once.
    """
    if in_transaction():
        return function()
    for attempt in range(1, attempts):
        try:
            return _once(function, lock_timeout_ms)
        except Error as error:
            if not errors.is_retryable(error):
                raise
        _pause(attempt)
    return _once(function, lock_timeout_ms)


def transactional(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a command so that each call of it is one `run`."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(lambda: function(*args, **kwargs))

    return command


def _once(function: Callable[[], T], lock_timeout_ms: int) -> T:
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            # For this transaction alone: a session's setting would leak to others through a pooling proxy.
            cursor.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_ms)}")
        return function()


def _pause(attempt: int) -> None:
    """Wait a random while that doubles with each attempt, so that two that collided do not collide again."""
    ceiling = FIRST_PAUSE_SECONDS * 2**attempt
    time.sleep(random.uniform(ceiling / 4, ceiling))  # noqa: S311
