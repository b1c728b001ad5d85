"""Health, metrics, the OpenAPI document and its page."""

import re
from enum import StrEnum
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from multitask.payments.states import DisputeState, EscrowState, RefundState, WithdrawalState
from multitask.web.api import health
from tests.acceptance.clients import Caller


def test_health_needs_no_database(visitor: Caller) -> None:
    with connection.execute_wrapper(_no_database):
        answer = visitor.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def _no_database(*arguments: Any) -> None:
    raise AssertionError("the database was asked")


def test_ready_once_the_migrations_are_applied(visitor: Caller) -> None:
    assert visitor.get("/readyz").status == 200


def test_not_ready_while_a_migration_is_missing(visitor: Caller) -> None:
    health._Migrations.applied = False
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'api'")
    answer = visitor.get("/readyz")
    assert (answer.status, answer.json) == (503, {"status": "unavailable", "missing": "migrations"})


def test_metrics_count_requests_by_the_pattern_of_their_address(client_user: Caller) -> None:
    for number in (123456, 654321):
        client_user.get(f"/api/tasks/{number}/")
    text = client_user.get("/metrics").content.decode()
    assert re.search(r'requests_total\{method="GET",route="api/tasks/<int:task_id>/",status="404"\} \d', text)
    assert "123456" not in text


def test_metrics_are_for_this_machine_or_for_the_token(visitor: Caller, settings: LazySettings) -> None:
    assert visitor.get("/metrics").status == 200
    assert visitor.get("/metrics", X_Forwarded_For="127.0.0.1").status == 403
    settings.METRICS_TOKEN = "a-token"
    assert visitor.get("/metrics").status == 403
    assert visitor.get("/metrics", Authorization="Bearer a-tokem").status == 403
    assert visitor.get("/metrics", Authorization="Bearer a-token").status == 200


def test_a_host_that_is_not_ours_is_refused_in_one_line(visitor: Caller, caplog: pytest.LogCaptureFixture) -> None:
    assert visitor.http.get("/healthz", headers={"Host": "pay.example.org"}).status_code == 400
    [record] = [record for record in caplog.records if record.name == "django.security.DisallowedHost"]
    assert "pay.example.org" in record.getMessage()
    assert record.exc_info is None


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_document_names_each_operation_once_and_all_its_errors(visitor: Caller) -> None:
    document = visitor.get("/openapi.json").json
    operations = _operations(document)
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names), names
    for operation in operations:
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/Error")
        assert {"400", "413", "503"} <= operation["responses"].keys()
        assert ("401" in operation["responses"]) >= bool(operation.get("security"))


def test_nothing_under_the_second_address_is_documented_twice(visitor: Caller) -> None:
    paths = visitor.get("/openapi.json").json["paths"]
    assert not [path for path in paths if path.startswith("/api/payments/")]
    assert "/api/tasks/create/" in paths


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(visitor: Caller) -> None:
    page = visitor.get("/docs/").content.decode()
    for operation in _operations(visitor.get("/openapi.json").json):
        assert f'id="{operation["operationId"]}"' in page
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith(("/", "#")) for address in addresses)
    assert "<script" not in page
    assert "`" not in page
    assert 'id="WithdrawalOut"' in page


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs/"])
def test_these_are_open_to_everybody(visitor: Caller, path: str) -> None:
    assert visitor.get(path).status == 200


def test_every_operation_says_what_it_does_and_what_its_refusals_mean(visitor: Caller) -> None:
    document = visitor.get("/openapi.json").json
    operations = [operation for found in document["paths"].values() for operation in found.values()]
    summaries = [operation["summary"] for operation in operations]
    assert len(set(summaries)) == len(summaries)
    for operation in operations:
        refusals = {status: found for status, found in operation["responses"].items() if status >= "400"}
        assert all("Codes: " in found["description"] for found in refusals.values()), operation["operationId"]
        assert "Retry-After" in refusals["503"]["headers"]
    withdraw = document["paths"]["/payments/withdrawals/create/"]["post"]
    assert "insufficient_funds" in withdraw["responses"]["409"]["description"]
    assert "Idempotent-Replayed" in withdraw["responses"]["201"]["headers"]


@pytest.mark.parametrize(
    ("shape", "state"),
    [
        ("EscrowOut", EscrowState),
        ("IntentOut", EscrowState),
        ("RefundOut", RefundState),
        ("DisputeOut", DisputeState),
        ("WithdrawalOut", WithdrawalState),
    ],
)
def test_the_document_names_the_values_of_a_status(visitor: Caller, shape: str, state: type[StrEnum]) -> None:
    shapes = visitor.get("/openapi.json").json["components"]["schemas"]
    status = shapes[shape]["properties"]["status"]
    assert shapes[status["$ref"].rsplit("/", 1)[-1]]["enum"] == [one.value for one in state]
