"""What many tests begin with is played once in a while and then put back as it was, rows and sandbox alike.

Only into a marketplace in which nothing has happened yet. Nothing is made up: what is put back was written by our
commands and by the sandbox, a moment ago. Only a superuser of the database may do it; for others, and with
WORLDS_PLAYED=1, each test plays its beginning itself.
"""

import copy
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from django.conf import settings
from django.db import connection
from django.utils import timezone

from multitask.config import settings as usual
from multitask.users.actor import Actor
from tests.sandbox_process import SandboxProcess

# To play every beginning in each test.
IS_OFF = os.environ.get("WORLDS_PLAYED", "") == "1"
# Put back later than that it would be old for rules that look at the clock.
FRESH = timedelta(seconds=30)
# Of a new database: who may see what, which no test changes.
STATIC = {"auth_permission", "django_content_type", "django_migrations"}
# People may be there already, and may have signed in.
PEOPLE = "users_user"
HARMLESS = {PEOPLE, "django_session", "otp_totp_totpdevice"}


class Marketplace(Protocol):
    """What is remembered of a world besides rows and sandbox."""

    sandbox: SandboxProcess
    now: datetime
    began: tuple[datetime, int]
    heard: dict[str, str]


@dataclass(slots=True)
class Memory:
    """One beginning: what the method returned, when, and everything that it had written."""

    result: Any
    began: datetime
    now: datetime
    heard: dict[str, str]
    rows: dict[str, bytes]
    numbers: list[tuple[str, int]]
    snapshot: str


World = TypeVar("World", bound=Marketplace)
P = ParamSpec("P")
R = TypeVar("R")

_memories: dict[tuple[Any, ...], Memory] = {}

_present = datetime.min.replace(tzinfo=UTC)


def present() -> datetime:
    """The moment at which worlds begin, which is one and the same for a while: what is remembered began then too."""
    global _present
    if not timedelta() <= timezone.now() - _present < FRESH:
        _present = timezone.now()
    return _present


def beginning(method: Callable[Concatenate[World, P], R]) -> Callable[Concatenate[World, P], R]:
    """Let a world's method put back what it did in another test, if nothing has happened in this one yet."""

    @functools.wraps(method)
    def begin(world: World, /, *args: P.args, **more: P.kwargs) -> R:
        key = (
            world.sandbox.base_url,
            _settings(),
            method.__module__,
            method.__qualname__,
            *args,
            *sorted(more.items()),
        )
        is_about_somebody = any(isinstance(value, Actor) for value in (*args, *more.values()))
        if is_about_somebody or world.began != (world.now, world.sandbox.commands):
            return method(world, *args, **more)
        filled = _filled_tables()
        if not filled <= HARMLESS or not may_put_back():
            return method(world, *args, **more)
        known = _memories.get(key)
        if known is not None and known.began == world.now:
            _put_back(world, known)
            return copy.deepcopy(known.result)  # type: ignore[no-any-return]
        people, began = _last_person(), world.now
        # What this one begins with itself is not kept as well.
        world.began = (began, -1)
        result = method(world, *args, **more)
        _forget_before(world)
        _memories[key] = _remembered(world, result, began, _filled_tables() - filled, people)
        return result

    return begin


def _settings() -> str:
    """What the test may have set otherwise."""
    return repr([getattr(settings, name) for name in vars(usual) if name.isupper()])


def _forget_before(world: Marketplace) -> None:
    """Keep nothing that began before this world: it is never put back again."""
    for key, memory in list(_memories.items()):
        if key[0] == world.sandbox.base_url and memory.began != world.began[0]:
            world.sandbox.drop(memory.snapshot)
            del _memories[key]


def _remembered(world: Marketplace, result: Any, began: datetime, filled: set[str], people: int) -> Memory:
    queries = {table: f'SELECT * FROM "{table}"' for table in sorted(filled)}
    queries[PEOPLE] = f"SELECT * FROM {PEOPLE} WHERE id > {people}"
    with connection.cursor() as cursor:
        rows = {table: _copied(cursor, f"COPY ({query}) TO STDOUT") for table, query in queries.items()}
        cursor.execute(
            "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences"
            " WHERE last_value IS NOT NULL"
        )
        numbers = cursor.fetchall()
    return Memory(copy.deepcopy(result), began, world.now, dict(world.heard), rows, numbers, world.sandbox.keep())


def _copied(cursor: Any, statement: str) -> bytes:
    with cursor.copy(statement) as copy:
        return b"".join(copy)


def _put_back(world: Marketplace, known: Memory) -> None:
    world.sandbox.restore(known.snapshot)
    with connection.cursor() as cursor, _without_triggers(cursor):
        for table, rows in known.rows.items():
            with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                copy.write(rows)
        # Never back: what others remember has numbers of its own.
        later = (
            f"setval('{name}', greatest({number}, (SELECT last_value FROM {name})))" for name, number in known.numbers
        )
        cursor.execute(f"SELECT {', '.join(later)}")
    world.now, world.heard = known.now, dict(known.heard)


@contextmanager
def _without_triggers(cursor: Any) -> Iterator[None]:
    """The guards have seen these rows before, and those of the books let only `ledger_post` write."""
    cursor.execute("SET session_replication_role = replica; SET ledger.writer = ledger_post")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            cursor.execute("SET session_replication_role = DEFAULT; SET ledger.writer = ''")


@functools.cache
def may_put_back() -> bool:
    """Say whether beginnings are put back at all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser')")
        return bool(cursor.fetchone() == ("on",) and not IS_OFF)


@functools.cache
def _which_are_filled() -> str:
    """The question which tables hold anything that no new database has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sorted(set(itertools.chain(*cursor.fetchall())) - STATIC)
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in tables)


def _filled_tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_which_are_filled())
        return set(itertools.chain(*cursor.fetchall()))


def _last_person() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {PEOPLE}")
        return int(cursor.fetchone()[0])
