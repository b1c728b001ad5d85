"""Fixtures of the acceptance tests: users, tasks and a running system."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.acceptance.story import give_float
from tests.acceptance.system import System, copied_database
from tests.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    """One offline Stripe for the tests of this folder; `sandbox` points the application at it."""
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess, settings: LazySettings) -> SandboxProcess:
    """The offline Stripe, as the application's provider for one test."""
    settings.STRIPE_API_BASE = sandbox_process.base_url
    settings.STRIPE_SECRET_KEY = "sk_test_sandbox"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
    return sandbox_process


@pytest.fixture
def visitor(db: None) -> Caller:
    return clients.visitor()


@pytest.fixture
def client_user(db: None) -> Caller:
    """Somebody who hires."""
    return clients.person(client=True)


@pytest.fixture
def freelancer(db: None) -> Caller:
    """Somebody who is hired."""
    return clients.person(freelancer=True)


@pytest.fixture
def support(db: None) -> Caller:
    return clients.person(staff_role="support")


@pytest.fixture
def finance(db: None) -> Caller:
    return clients.person(staff_role="finance")


@pytest.fixture
def stranger(db: None) -> Caller:
    """Client and freelancer, with no part in anything of the others."""
    return clients.person(client=True, freelancer=True)


@pytest.fixture
def open_task(client_user: Caller) -> dict[str, Any]:
    """A task of `client_user` that anybody may apply for."""
    body = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}
    answer = client_user.post("/api/tasks/create/", body)
    assert answer.status == 201, answer.json
    return dict(answer.json)


@pytest.fixture
def application(open_task: dict[str, Any], freelancer: Caller) -> dict[str, Any]:
    """The application of `freelancer` for `open_task`, at its budget."""
    answer = freelancer.post(f"/api/tasks/{open_task['id']}/apply/", {"cover_letter": "I draw."})
    assert answer.status == 201, answer.json
    return dict(answer.json)


@pytest.fixture
def assigned_task(application: dict[str, Any], client_user: Caller) -> dict[str, Any]:
    """`open_task` once `client_user` has accepted `application`."""
    answer = client_user.post(f"/api/tasks/applications/{application['id']}/accept/")
    assert answer.status == 200, answer.json
    return dict(client_user.get(f"/api/tasks/{application['task']}/").json)


@pytest.fixture(scope="module")
def own_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The address of a migrated database that the programs of one module share."""
    with django_db_blocker.unblock():
        template = f"{connection.settings_dict['NAME']}_template"
    with copied_database(template) as url:
        yield url


@pytest.fixture(scope="module")
def system(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Sandbox, web server and worker as processes, for the tests of one module."""
    with System(tmp_path_factory.mktemp("system"), own_database) as running:
        give_float(running)
        yield running
