"""One running system in Egypt for all tests of this folder, and people with phones who read Arabic."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from multitask.ledger import checks
from tests.acceptance.system import copied_database, in_process
from tests.browser import chromium
from tests.browser.conftest import NewPerson
from tests.browser.egypt.people import on_a_phone
from tests.browser.egypt.system import EgyptSystem
from tests.browser.person import Person

OnPhone = Callable[[], Person]


@pytest.fixture(scope="package")
def system(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EgyptSystem]:
    """The whole system as processes, with a Paymob; when all is done its books must be sound."""
    chromium.required()
    with django_db_blocker.unblock():
        template = f"{connection.settings_dict['NAME']}_template"
    with copied_database(template) as url, EgyptSystem(tmp_path_factory.mktemp("egypt"), url) as running:
        yield running
        running.settle_down()
        with django_db_blocker.unblock(), in_process(running):
            wrong = [str(violation) for violation in checks.run()]
        assert not wrong, wrong


@pytest.fixture
def on_phone(new_person: NewPerson) -> OnPhone:
    """Makes people who read Arabic on a phone."""
    return lambda: new_person(**on_a_phone())
