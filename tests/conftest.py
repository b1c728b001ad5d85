"""The test database: on the embedded PostgreSQL in data of its own, or on the server that DATABASE_URL names."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

# Here, since conftests further down import models: only now is the rest of the environment settled.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
os.environ.setdefault("MULTITASK_ENV", "test")

import django
from hypothesis import HealthCheck
from hypothesis import settings as made_up

django.setup()
# Collecting leaves no garbage worth the search for it; `pytest_collection_finish` turns it on again.
gc.disable()
# How long something takes says nothing on a machine that others use too.
made_up.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
made_up.load_profile("house")

from django.conf import settings
from django.db import connection
from django.utils import timezone, translation

from stack import postgres
from tests import fresh_database, request_lanes, sound_books

# Each of Django's test clients makes the middlewares anew, and this one would look through all static files each time.
settings.WHITENOISE_AUTOREFRESH = True
request_lanes.watch()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Point Django at the server of this run, in a database that no other run or worker uses.

    The embedded server is shared by all runs that go on at once; the last to leave stops it.
    """
    worker = getattr(request.config, "workerinput", {"workerid": "main", "testrunuid": str(os.getpid())})
    named = os.environ.get("DATABASE_URL", "")
    with nullcontext() if named else postgres.tests().held() as server:
        database: dict[str, Any] = settings.DATABASES["default"]
        if server is not None:
            parts = urlsplit(server.url())
            database.update(HOST=parts.hostname, PORT=str(parts.port), USER=parts.username, NAME=postgres.DATABASE)
            database["PASSWORD"] = unquote(parts.password or "")
        run = os.environ.get("MULTITASK_TEST_RUN") or worker["testrunuid"][-12:]  # A name of its own, to be used again.
        name = f"test_multitask_{run}_{worker['workerid']}"
        database["TEST"] = {**database.get("TEST", {}), "NAME": name}
        yield


@pytest.fixture(scope="session")
def shared_database(django_db_modify_db_settings: None, request: pytest.FixtureRequest) -> fresh_database.Shared | None:
    """What the workers of a run copy; nothing where there is one alone, or where names are used again."""
    worker = getattr(request.config, "workerinput", None)
    if worker is None or "MULTITASK_TEST_RUN" in os.environ:
        return None
    shared = fresh_database.Shared(f"test_multitask_{worker['testrunuid'][-12:]}")
    settings.DATABASES["default"]["TEST"]["TEMPLATE"] = shared.begin() or None
    return shared


@pytest.fixture(scope="session")
def django_db_setup(
    shared_database: fresh_database.Shared | None, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """Make the test database once per worker, by its migrations or as a copy of another worker's."""
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
        if shared_database:
            shared_database.end(name)
        kept = fresh_database.kept_as_template(name)
        kept.__enter__()
    yield
    with django_db_blocker.unblock():
        kept.__exit__(None, None, None)
        if shared_database:
            shared_database.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stack's modules, which take longest, first: else one worker ends with them when the others have nothing left.

    Of several tests of one name only one would be run by those who hand tests out to workers.
    """
    doubled = [name for name, number in Counter(item.nodeid for item in items).items() if number > 1]
    if doubled:
        raise pytest.UsageError(f"tests of one name: {', '.join(doubled)}")
    items.sort(key=lambda item: "stack" not in item.path.parts)


def pytest_collection_finish() -> None:
    """What was loaded so far stays: let Python not go through all of it whenever it collects its garbage.

    And let it do so less often: a test leaves little behind.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


DATABASE_FIXTURES = ("transactional_db", "db")


@pytest.fixture(autouse=True)
def language_and_zone_end() -> Iterator[None]:
    """Forget the reader of the last request, as the next request does."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def requests_stay_in_their_lanes() -> Iterator[None]:
    """Fail a test one of whose requests called a provider outside the provider's lane."""
    request_lanes.begin()
    yield
    outside = request_lanes.outside()
    assert not outside, f"these requests call a provider, and are not in its lane: {outside}"


@pytest.fixture(autouse=True)
def books_stay_sound(request: pytest.FixtureRequest, _django_db_marker: None) -> Iterator[None]:
    """Prove the books after every test that has a database; `breaks_the_books` marks those that break them."""
    used = [name for name in DATABASE_FIXTURES if name in request.fixturenames]
    for name in used[:1]:
        request.getfixturevalue(name)  # So that the database outlives this fixture.
    yield
    if (used or request.node.get_closest_marker("django_db")) and not connection.needs_rollback:
        broken = [] if request.node.get_closest_marker("breaks_the_books") else sound_books.violations()
        assert not broken, f"this test left broken books: {broken}"


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of the test database, for programs that a test starts."""
    return fresh_database.url(connection.settings_dict["NAME"])
