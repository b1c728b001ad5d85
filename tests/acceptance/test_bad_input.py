"""Bad input over HTTP: the right status, a stable code, and nothing done."""

import json
import re
from typing import Any

import pytest
from django.conf import LazySettings

from multitask.marketplace.models import Application, Task
from multitask.web.api import document, urls
from tests.acceptance.clients import Answer, Caller

CREATE = "/api/tasks/create/"
TASK = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}


def _is_error(answer: Answer) -> bool:
    return set(answer.json) == {"error", "code", "detail", "fields"}


def _raw(budget: str) -> str:
    return f'{{"title": "T", "description": "D", "budget": {budget}}}'


@pytest.mark.parametrize(
    ("literal", "status", "code"),
    [
        ("0", 422, "amount_too_small"),
        ('"0.00"', 422, "amount_too_small"),
        ("-1", 422, "amount_too_small"),
        ('"-1.00"', 422, "amount_too_small"),
        ("1.005", 422, "amount_too_precise"),
        ('"1.005"', 422, "amount_too_precise"),
        ("1e2", 422, "amount_invalid"),
        ("1.5e1", 422, "amount_invalid"),
        ("1E-2", 422, "amount_invalid"),
        ('"1e2"', 422, "amount_invalid"),
        ("true", 422, "amount_invalid"),
        ("[]", 422, "amount_invalid"),
        ("{}", 422, "amount_invalid"),
        ("null", 422, "required"),
        ('""', 422, "amount_invalid"),
        ('"NaN"', 422, "amount_invalid"),
        ('"Infinity"', 422, "amount_invalid"),
        ('"１２３"', 422, "amount_invalid"),
        ('"1_000"', 422, "amount_invalid"),
        ('"1,000"', 422, "amount_invalid"),
        ('" 1"', 422, "amount_invalid"),
        ('"+1"', 422, "amount_invalid"),
        ('"0x10"', 422, "amount_invalid"),
        ("9223372036854775808", 422, "amount_too_large"),
        ('"92233720368547758.08"', 422, "amount_too_large"),
        ("99999999999999", 422, "invalid_task"),
        ('"' + "9" * 5_000 + '"', 422, "amount_too_large"),
        ("NaN", 400, "invalid_json"),
        ("Infinity", 400, "invalid_json"),
        ("-Infinity", 400, "invalid_json"),
        ("1e400", 400, "invalid_json"),
        ("1e99999999999999999999", 400, "invalid_json"),
        ("9" * 5_000, 400, "invalid_json"),
        ("1." + "0" * 5_000, 400, "invalid_json"),
        ("01", 400, "invalid_json"),
        (".5", 400, "invalid_json"),
    ],
)
def test_amounts(client_user: Caller, literal: str, status: int, code: str) -> None:
    answer = client_user.send("POST", CREATE, _raw(literal))
    assert (answer.status, answer.code) == (status, code), answer.json
    assert _is_error(answer)
    assert ("budget" in answer.json["fields"]) == (status == 422)
    assert not Task.objects.exists()


def test_a_missing_amount_is_required(client_user: Caller) -> None:
    answer = client_user.post(CREATE, {"title": "T", "description": "D"})
    assert (answer.status, answer.code, answer.json["fields"]) == (
        422,
        "required",
        {"budget": "This is required."},
    )


@pytest.mark.parametrize(
    ("currency", "budget", "status", "code", "field"),
    [
        ("USDT", "1.00", 422, "invalid", "currency"),
        ("usd", "1.00", 422, "invalid", "currency"),
        ("XXX", "1.00", 422, "currency_unknown", "currency"),
        (840, "1.00", 422, "invalid", "currency"),
        ("JPY", "1.00", 422, "amount_too_precise", "budget"),
        ("KWD", "1.0001", 422, "amount_too_precise", "budget"),
    ],
)
def test_currencies(client_user: Caller, currency: Any, budget: str, status: int, code: str, field: str) -> None:
    answer = client_user.post(CREATE, TASK | {"currency": currency, "budget": budget})
    assert (answer.status, answer.code, list(answer.json["fields"])) == (status, code, [field])
    assert not Task.objects.exists()


def test_an_application_has_the_tasks_decimals(freelancer: Caller, client_user: Caller) -> None:
    task = client_user.post(CREATE, TASK).json
    answer = freelancer.post(f"/api/tasks/{task['id']}/apply/", {"proposed_amount": "1.001"})
    assert (answer.status, answer.code, list(answer.json["fields"])) == (
        422,
        "amount_too_precise",
        ["proposed_amount"],
    )
    assert not Application.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"title": ', 400, "invalid_json"),
        (b"{'title': 'T'}", 400, "invalid_json"),
        (b'{"title": "T",}', 400, "invalid_json"),
        (b"rubbish", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'"text"', 400, "invalid_json"),
        (b"null", 400, "invalid_json"),
        (b'{"title": "A", "title": "B"}', 400, "invalid_json"),
        (b'{"title": {"a": 1, "a": 2}}', 400, "invalid_json"),
        (b'{"title": "\xff"}', 400, "invalid_json"),
        (b'{"title": "\xed\xa0\x80"}', 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"a":' * 100_000, 400, "invalid_json"),
        (b'{"title": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "invalid_json"),
        (b'{"title": "a\\u0000b"}', 422, "invalid_text"),
        (b'{"a\\u0000b": 1}', 422, "invalid_text"),
        (b'{"title": "\\ud800"}', 422, "invalid_text"),
        (b'{"title": "a\tb"}', 400, "invalid_json"),
        (b"", 422, "required"),
        (b"{}", 422, "required"),
    ],
)
def test_bodies(client_user: Caller, body: bytes, status: int, code: str) -> None:
    answer = client_user.send("POST", CREATE, body)
    assert (answer.status, answer.code) == (status, code), answer.json
    assert _is_error(answer)
    assert not Task.objects.exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_called_json_is_415(client_user: Caller, kind: str) -> None:
    answer = client_user.send("POST", CREATE, json.dumps(TASK), content_type=kind)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_a_body_over_a_megabyte_is_413(client_user: Caller) -> None:
    answer = client_user.post(CREATE, TASK | {"description": "x" * 1_000_001})
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert _is_error(answer)


def test_a_body_of_unknown_length_is_411_and_not_taken_for_an_empty_one(client_user: Caller) -> None:
    answer = client_user.http.post(CREATE, headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH="")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_an_address_without_its_slash_keeps_the_method_on_the_way(client_user: Caller) -> None:
    answer = client_user.post(CREATE.rstrip("/"), TASK)
    assert (answer.status, answer.headers["Location"]) == (308, CREATE)


@pytest.mark.parametrize("field", ["status", "client", "freelancer", "fee", "owner", "id"])
def test_fields_that_are_not_the_callers_to_set_are_refused(client_user: Caller, field: str) -> None:
    answer = client_user.post(CREATE, TASK | {field: "1"})
    assert (answer.status, answer.code, answer.json["fields"]) == (
        422,
        "unknown_field",
        {field: "This field is not known."},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", "two\nlines"),
        ("title", "bell \x07"),
        ("title", "delete \x7f"),
        ("title", "next line \x85"),
        ("title", "turned \u202e around"),
        ("title", "isolated \u2066"),
        ("title", 5),
        ("title", None),
        ("title", ["T"]),
        ("description", ""),
        ("description", "x" * 10_001),
        ("description", "escape \x1b[31m"),
        ("description", "line separator \u2028"),
        ("deadline", "tomorrow"),
        ("deadline", "2030-01-01T00:00:00"),
        ("deadline", "2001-01-01T00:00:00Z"),
        ("deadline", 5),
        ("deadline", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_text_and_dates(client_user: Caller, field: str, value: Any) -> None:
    answer = client_user.post(CREATE, TASK | {field: value})
    assert answer.status == 422, answer.json
    assert list(answer.json["fields"]) == [field]
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("page=1&page=2", 400, "repeated_parameter"),
        ("unknown=1&unknown=2", 400, "repeated_parameter"),
        ("page=0", 422, "invalid"),
        ("page=-1", 422, "invalid"),
        ("page=x", 422, "invalid"),
        ("page=1.5", 422, "invalid"),
        ("page=" + "9" * 30, 422, "invalid"),
        ("page=" + "9" * 5_000, 422, "invalid"),
        ("page_size=0", 422, "invalid"),
        ("limit=0", 422, "invalid"),
        ("page_size=10&limit=20", 422, "invalid"),
        ("surprise=1", 422, "unknown_parameter"),
        ("Page=1", 422, "unknown_parameter"),
        ("status=done", 422, "invalid"),
        ("search=" + "x" * 101, 422, "invalid"),
        ("search=a%00b", 422, "invalid_text"),
    ],
)
def test_queries(client_user: Caller, query: str, status: int, code: str) -> None:
    answer = client_user.get(f"/api/tasks/?{query}")
    assert (answer.status, answer.code) == (status, code), answer.json
    assert _is_error(answer)


def test_broken_utf8_in_a_query_is_left_alone(client_user: Caller) -> None:
    assert client_user.get("/api/tasks/?search=%ff").status == 200


@pytest.mark.parametrize(
    "rubbish",
    ["0", "99999999", "-1", "1.0", "x", "1e3", "١", "%00", "9" * 19, "9" * 31, "9" * 5_000, "..", "1%20OR%201=1"],
)
def test_ids_that_name_nothing_are_404(client_user: Caller, rubbish: str) -> None:
    for path in (f"/api/tasks/{rubbish}/", f"/api/tasks/{rubbish}/applications/"):
        answer = client_user.get(path)
        assert (answer.status, _is_error(answer)) == (404, True), path
    assert client_user.post(f"/api/tasks/{rubbish}/deliver/").status == 404
    assert client_user.post(f"/api/tasks/applications/{rubbish}/accept/").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CREATE),
        ("DELETE", "/api/tasks/"),
        ("PUT", "/api/auth/profile/"),
        ("POST", "/api/tasks/"),
        ("TRACE", "/api/tasks/"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(client_user: Caller, method: str, path: str) -> None:
    answer = client_user.send(method, path, b"")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert _is_error(answer)
    assert answer.headers["Allow"]


def test_every_address_names_the_methods_that_it_takes(client_user: Caller) -> None:
    for path, operations in document.openapi(urls.api)["paths"].items():
        methods = {method.upper() for method in operations}
        answer = client_user.send("TRACE", re.sub(r"\{\w+\}", "1", path), b"")
        assert answer.status == 405, path
        assert set(answer.headers["Allow"].split(", ")) == methods | ({"HEAD"} if "GET" in methods else set()), path


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/auth/profile/", "/payments/wallet/", "/api/payments/wallet/"])
def test_head_is_answered_as_get_without_the_body(client_user: Caller, path: str) -> None:
    full, head = client_user.get(path), _head(client_user, path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head["Content-Length"]) == len(full.content) > 0
    assert head["Content-Type"] == full.headers["Content-Type"]


def test_head_is_refused_where_get_is(client_user: Caller, visitor: Caller) -> None:
    assert _head(visitor, "/api/tasks/1/").status_code == 401
    assert _head(client_user, "/api/tasks/999999/").status_code == 404
    for path in (CREATE, "/payments/webhooks/stripe/"):
        head = _head(client_user, path)
        assert (head.status_code, head["Allow"], head.content) == (405, "POST", b"")


def _head(caller: Caller, path: str) -> Any:
    return caller.http.head(path, headers={"Authorization": f"Bearer {caller.token}"} if caller.token else {})


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/tasks/1/nothing/", "/payments/nothing/"])
def test_an_unknown_address_is_404_in_json(client_user: Caller, path: str) -> None:
    answer = client_user.get(path)
    assert (answer.status, answer.code) == (404, "not_found")
    assert _is_error(answer)


def test_a_wrong_host_is_400(client_user: Caller) -> None:
    answer = client_user.get("/api/tasks/", Host="evil.example.com")
    assert (answer.status, _is_error(answer)) == (400, True)


def test_who_is_not_logged_in_is_told_so_first(visitor: Caller) -> None:
    assert visitor.send("POST", CREATE, b"rubbish", content_type="text/plain").status == 401
    assert visitor.get("/api/tasks/1/").status == 401


def test_a_body_where_none_is_needed_is_still_read_strictly(client_user: Caller) -> None:
    task = client_user.post(CREATE, TASK).json
    path = f"/api/tasks/{task['id']}/cancel/"
    assert client_user.send("POST", path, b"rubbish").code == "invalid_json"
    assert client_user.post(path, {"status": "completed"}).code == "unknown_field"
    assert client_user.send("POST", path, b"", content_type="").status == 200


def test_a_request_has_an_id_that_a_caller_may_choose(visitor: Caller) -> None:
    assert visitor.get("/healthz", X_Request_ID="abc-1").headers["X-Request-ID"] == "abc-1"
    forged = visitor.get("/healthz", X_Request_ID="a b\n").headers["X-Request-ID"]
    assert len(forged) == 32


def test_a_fault_says_nothing_about_itself(
    client_user: Caller, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ACCESS_TOKEN_MINUTES = "not a number"
    body = {"username": "eve", "email": "eve@example.com", "password": "top-secret-sentence", "is_client": True}
    answer = client_user.post("/api/auth/register/", body)
    assert (answer.status, answer.code, answer.json["detail"]) == (
        500,
        "internal_error",
        "Something went wrong on our side.",
    )
    assert "request_failed" in caplog.text
    assert "top-secret-sentence" not in caplog.text


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("title", "x" * 201, "At most 200 characters."),
        ("title", "", "This may not be empty."),
        ("title", "\u200b", "This may not be empty."),
        ("currency", "usd", "This has to be an ISO 4217 code of three capital letters, such as USD."),
        ("deadline", "2030-01-31T12:00:00", "Say the time zone too, as in 2030-01-31T12:00:00Z."),
    ],
)
def test_what_is_wrong_with_a_field_is_said_to_people(
    client_user: Caller, field: str, value: str, sentence: str
) -> None:
    answer = client_user.post(CREATE, TASK | {field: value})
    assert (answer.status, answer.json["fields"]) == (422, {field: sentence})


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"page": "0"}, "This has to be 1 or more."),
        ({"page_size": "0"}, "This has to be 1 or more."),
        ({"page_size": "10", "limit": "20"}, "This differs from `page_size`; send one of the two."),
        ({"type": "refund", "transaction_type": "withdrawal"}, "This differs from `type`; send one of the two."),
        ({"kind": "refund"}, "This parameter is not known."),
        ({"status": "bad"}, "This has to be 'pending', 'completed', 'failed' or 'cancelled'."),
        ({"from": "0"}, "This has to be a day, such as 2030-01-31."),
        ({"to": "2030-01-31T00:00:00"}, "This has to be a day, such as 2030-01-31."),
        ({"to": "2030-13-01"}, "There is no such day."),
        ({"from": "2030-02-01", "to": "2030-01-31"}, "This lies before `from`."),
    ],
)
def test_what_is_wrong_with_a_filter_is_said_to_people(
    client_user: Caller, query: dict[str, str], sentence: str
) -> None:
    answer = client_user.get("/payments/wallet/transactions/", query)
    assert (answer.status, list(answer.json["fields"].values())) == (422, [sentence])
