"""The test database: on the embedded PostgreSQL in data of its own, or on the server that DATABASE_URL names."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

# Before Django reads its settings: pytest-django sets Django up when every conftest has been imported.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
os.environ.setdefault("MULTITASK_ENV", "test")

from stack import postgres


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Point Django at the server of this run, in a database that no other run or worker uses.

    The embedded server is shared by all runs that go on at once; the last to leave stops it.
    """
    from django.conf import settings

    worker = getattr(request.config, "workerinput", {"workerid": "main", "testrunuid": str(os.getpid())})
    named = os.environ.get("DATABASE_URL", "")
    with nullcontext() if named else postgres.tests().held() as server:
        database: dict[str, Any] = settings.DATABASES["default"]
        if server is not None:
            parts = urlsplit(server.url())
            database.update(HOST=parts.hostname, PORT=str(parts.port), USER=parts.username, NAME=postgres.DATABASE)
            database["PASSWORD"] = unquote(parts.password or "")
        name = f"test_multitask_{worker['testrunuid'][-12:]}_{worker['workerid']}"
        database["TEST"] = {**database.get("TEST", {}), "NAME": name}
        yield


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of the test database, for programs that a test starts."""
    from django.db import connection

    chosen = connection.settings_dict
    password = f":{quote(chosen['PASSWORD'], safe='')}" if chosen["PASSWORD"] else ""
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    if chosen["HOST"].startswith("/"):
        return f"postgresql://{chosen['USER']}{password}@/{chosen['NAME']}?host={quote(chosen['HOST'])}&port={chosen['PORT']}"
    return f"postgresql://{chosen['USER']}{password}@{chosen['HOST']}{port}/{chosen['NAME']}"
