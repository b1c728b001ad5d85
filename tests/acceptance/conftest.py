"""The people of the acceptance tests, and the things they have done before a test begins."""

from typing import Any

import pytest

from tests.acceptance import clients
from tests.acceptance.clients import Caller


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
