"""One running stack and one browser for all tests of pages; people are browser contexts."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser

from tests.acceptance import books
from tests.acceptance.story import Story
from tests.acceptance.system import System, copied_database
from tests.browser import chromium
from tests.browser.person import Person

NewPerson = Callable[..., Person]


@pytest.fixture(scope="package")
def system(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system as processes; when all is done its books must be sound and the same as the provider's."""
    chromium.required()
    with django_db_blocker.unblock():
        template = f"{connection.settings_dict['NAME']}_template"
    with copied_database(template) as url, System(tmp_path_factory.mktemp("browser"), url) as running:
        yield running
        running.sandbox.clear_faults()
        with django_db_blocker.unblock():
            books.assert_equal(running)


@pytest.fixture(scope="package")
def browser(system: System) -> Iterator[Browser]:
    """One Chromium, which ends with this folder.

    Playwright's own loop runs in this thread meanwhile, for which Django would refuse to read the database.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with chromium.running() as browser:
            yield browser
            connection.close()  # The one that was opened beside the loop, which nobody else sees.
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def new_person(browser: Browser, system: System) -> Iterator[NewPerson]:
    """Makes people. At the end nothing may have gone wrong unseen in any of their browsers."""
    people: list[Person] = []

    def make(**context: Any) -> Person:
        people.append(Person(browser, system, **context))
        return people[-1]

    yield make
    complaints = [complaint for person in people for complaint in person.complaints]
    for person in people:
        person.context.close()
    assert not complaints, complaints


@pytest.fixture
def story(system: System) -> Story:
    """A client and a freelancer who are acquainted through the API, to begin in the middle of things."""
    return Story(system)
