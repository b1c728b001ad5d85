"""Requests generated from the OpenAPI document: no 5xx, and no undocumented response."""

import functools
import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, Phase
from hypothesis import settings as search_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.meta import TestPhase
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from multitask.web.api import document, urls
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.sandbox_process import SandboxProcess


@schemathesis.check
def code_conformance(context: Any, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """A refusal has a code that the document names for the operation and the status."""
    if response.status_code >= 400:
        clients.assert_refusal_is_documented(
            case.operation.path, case.operation.method, response.status_code, response.json()
        )


CHECKS = [
    not_a_server_error,
    code_conformance,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# The same requests in each run, so that a failure stays one; FUZZ_EXAMPLES asks for more of them.
SEARCH = search_settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "12")),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@functools.cache
def schema() -> Any:
    """The same document that /openapi.json answers with, and the application without a network between."""
    loaded = schemathesis.openapi.from_dict(document.openapi(urls.api))
    loaded.app = WSGIHandler()
    # It would read all our modules for values to try, once for each operation.
    loaded.config.analysis.constants.enabled = False
    return loaded


@pytest.fixture
def callers(transactional_db: None, sandbox: SandboxProcess, settings: LazySettings) -> list[Caller]:
    """A client, a freelancer, somebody of the staff, and nobody; with tasks in different states."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client, freelancer = clients.person(client=True), clients.person(freelancer=True)
    for accepted in (False, True):
        body = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}
        task = client.post("/api/tasks/create/", body).json
        application = freelancer.post(f"/api/tasks/{task['id']}/apply/").json
        if accepted:
            client.post(f"/api/tasks/applications/{application['id']}/accept/")
            client.post("/payments/intents/create/", {"application_id": application["id"]})
    return [client, freelancer, clients.person(staff_role="finance"), clients.visitor()]


def _aim(case: schemathesis.Case[Any]) -> None:
    """Replace most ids by existing ones, since random ids would only return 404."""
    for name, value in (case.path_parameters or {}).items():
        near = (value if isinstance(value, int) else len(str(value))) % 4
        if near:
            case.path_parameters[name] = near if isinstance(value, int) else str(near)


# By operation, so that the requests of one are the same whatever ran before.
_turns: Counter[str] = Counter()


def _senders(case: schemathesis.Case[Any], callers: list[Caller]) -> list[Caller]:
    """Everybody sends what the document allows, but for its outermost values: with those it is each one's turn.

    What the document does not allow is refused alike whoever sends it.
    """
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return callers[:1]
    if case.meta.phase.name is TestPhase.COVERAGE:
        _turns[case.operation.label] += 1
        return [callers[_turns[case.operation.label] % len(callers)]]
    return callers


def send_it_all(case: schemathesis.Case[Any], callers: list[Caller]) -> None:
    """One request that was made up, from those who are to send it."""
    _aim(case)
    for caller in _senders(case, callers):
        headers = {} if caller.token is None else {"Authorization": f"Bearer {caller.token}"}
        case.call_and_validate(headers=headers, checks=CHECKS)


DOCUMENTED = [
    operation["operationId"]
    for operations in document.openapi(urls.api)["paths"].values()
    for operation in operations.values()
]


@pytest.mark.parametrize("operation_id", DOCUMENTED)
def test_no_request_is_a_fault_or_answered_with_what_is_not_documented(
    operation_id: str, callers: list[Caller]
) -> None:
    # The plugin's own `parametrize` makes all requests up wherever tests are only collected.
    (made_up,) = get_all_tests(
        schema=schema().include(operation_id=operation_id), test_func=send_it_all, settings=SEARCH, given_kwargs=None
    )
    assert isinstance(made_up, Ok), made_up
    _, send = made_up.ok()
    send(callers=callers)
