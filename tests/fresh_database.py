"""A fresh database for each test that commits: the append-only books refuse to be emptied, so they are replaced."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Say something to the server that no transaction may hold."""
    with psycopg.connect(url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
