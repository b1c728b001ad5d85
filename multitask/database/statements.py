"""Hand-written SELECTs for the reads that must be fast; the server binds their parameters."""

from collections.abc import Mapping
from typing import Any, Self

import psycopg
from django.db import connection


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that sends parameters apart from the statement, and prepares it if the connection may."""

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: Any = None) -> Self:
        """Execute the statement; `prepare_threshold` is None on connections that may not prepare it."""
        return super().execute(query, params, prepare=True if prepare is None else prepare, binary=binary)


class Statement:
    """One SELECT with named parameters, such as `%(user)s`.

    One statement sees one moment, so it needs no transaction. With `DATABASE_PREPARE` each connection parses it once.
    Whatever is larger than a lookup belongs into a function of the database, which each session plans once in any case.
    """

    def __init__(self, sql: str) -> None:
        """Store the text."""
        self.sql = sql

    def rows(self, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it and return all rows. Raises Django's database errors."""
        connection.ensure_connection()
        with connection.wrap_database_errors:
            cursor: Any = _Cursor(connection.connection)
        wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
        with wrap(cursor) as wrapped:
            wrapped.execute(self.sql, parameters)
            rows: list[tuple[Any, ...]] = wrapped.fetchall()
            return rows
