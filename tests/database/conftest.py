"""A table for the tests, and a proxy between Django and its server."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from tests.database.proxy import Proxy


@pytest.fixture
def notes(transactional_db: None) -> Iterator[Callable[[], list[str]]]:
    """Create an empty table `scratch_note (id, text)`; yield a function that returns its committed rows."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE scratch_note (id int PRIMARY KEY, text text NOT NULL)")

    def committed() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT text FROM scratch_note ORDER BY id")
            return [row[0] for row in cursor.fetchall()]

    yield committed
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE scratch_note")


@pytest.fixture
def proxy(transactional_db: None) -> Iterator[Proxy]:
    """Route Django's connections of this test through a proxy."""
    direct = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
    connection.ensure_connection()
    server = connection.connection.info
    with Proxy(server.host, server.port) as running:
        _lead_to("127.0.0.1", str(running.port))
        try:
            yield running
        finally:
            _lead_to(direct["HOST"], direct["PORT"])


def _lead_to(host: str, port: str) -> None:
    connection.close()
    connection.close_pool()
    connection.settings_dict.update(HOST=host, PORT=port)
