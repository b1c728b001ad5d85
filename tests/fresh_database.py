"""A fresh database for each test that commits: the append-only books refuse to be emptied, so they are replaced.

Migrations are applied by one of the workers of a run; the others copy what it made.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connection, connections
from django.test import TransactionTestCase
from psycopg import sql

NUMBERS_PER_COPY = 10_000
_RAISE_NUMBERS = """
SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + %s)
  FROM pg_sequences WHERE data_type <> 'smallint'::regtype
"""


def url(database: str) -> str:
    """The address of a database on the server of the tests."""
    chosen = connection.settings_dict
    login = quote(chosen["USER"], safe="") + (f":{quote(chosen['PASSWORD'], safe='')}" if chosen["PASSWORD"] else "")
    if chosen["HOST"].startswith("/"):
        place = f"/{database}?host={quote(chosen['HOST'], safe='')}&port={chosen['PORT'] or 5432}"
    else:
        place = f"{chosen['HOST']}:{chosen['PORT'] or 5432}/{database}"
    return f"postgresql://{login}@{place}"


class Shared:
    """The migrated database that the workers of one run copy; one worker at a time makes or copies it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock: psycopg.Connection[Any] | None = None
        self._is_there = False

    def begin(self) -> str:
        """Wait until no other worker sets up its database; return the template for ours, "" if it is to be migrated."""
        self._lock = psycopg.connect(url("postgres"), autocommit=True)
        self._lock.execute("SELECT pg_advisory_lock(hashtext(%s))", [self.name])
        found = self._lock.execute("SELECT FROM pg_database WHERE datname = %s", [self.name])
        self._is_there = found.fetchone() is not None
        return self.name if self._is_there else ""

    def end(self, migrated: str) -> None:
        """Copy our migrated database for the others if there is no copy yet, and release the lock."""
        assert self._lock is not None
        if not self._is_there:
            _close()
            _execute("CREATE DATABASE {} TEMPLATE {}", self.name, migrated)
        self._lock.close()

    def remove(self) -> None:
        """Drop it; a worker that should still want it makes it anew."""
        self.begin()
        assert self._lock is not None
        _execute("DROP DATABASE IF EXISTS {}", self.name)
        self._lock.close()


@contextmanager
def kept_as_template(name: str) -> Iterator[None]:
    """Keep a copy of the migrated test database, and replace it by that copy after each test that commits.

    Numbers go on rising from copy to copy: the sandbox outlives the copies, and knows our objects by their numbers.
    """
    copies = itertools.count(1)
    template = f"{name}_template"
    _execute("DROP DATABASE IF EXISTS {}", template)
    _close()
    _execute("CREATE DATABASE {} TEMPLATE {}", template, name)

    def replace_database(case: TransactionTestCase) -> None:
        _close()
        _execute("DROP DATABASE {} WITH (FORCE)", name)
        _execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        with psycopg.connect(url(name), autocommit=True) as copy:
            copy.execute(_RAISE_NUMBERS, [next(copies) * NUMBERS_PER_COPY])

    emptying = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = replace_database  # type: ignore[method-assign]
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown = emptying  # type: ignore[method-assign]
        _close()
        _execute("DROP DATABASE {} WITH (FORCE)", template)


def _close() -> None:
    connections.close_all()
    connection.close_pool()  # type: ignore[attr-defined]


def _execute(statement: str, *names: str) -> None:
    """Execute a statement outside a transaction."""
    with psycopg.connect(url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
