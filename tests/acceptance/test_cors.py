"""Front ends on other origins: those that are named may call the API with a bearer token, others get nothing."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from multitask.config import cors
from multitask.config.environment import Environment
from multitask.users.models import LoginAttempt
from tests.acceptance.clients import Caller

pytestmark = pytest.mark.django_db

FRONT_END = "https://app.example.org"
API = ["/api/tasks/", "/api/auth/profile/", "/payments/wallet/", "/api/payments/wallet/"]
NOT_API = ["/", "/healthz", "/openapi.json", "/profile/", "/backoffice/", "/sign-in/"]
WEBHOOKS = ["/payments/webhooks/stripe/", "/api/payments/webhooks/stripe/"]
EXPOSED = {"retry-after", "x-request-id", "idempotent-replayed"}


@pytest.fixture
def allowed(settings: LazySettings) -> None:
    """A deployment that names one front end, as its settings would be made from the environment."""
    environment = Environment(cors_allowed_origins=[FRONT_END])
    for name, value in cors.cors_settings(environment, list(settings.MIDDLEWARE)).items():
        setattr(settings, name, value)


def preflight(path: str, *, origin: str = FRONT_END, method: str = "POST") -> Any:
    return Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-request-id",
        },
    )


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def grants(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("path", API)
def test_a_named_origin_may_send_what_clients_need(allowed: None, path: str) -> None:
    answer = preflight(path)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == FRONT_END
    assert words(answer["Access-Control-Allow-Headers"]) == {
        "authorization",
        "content-type",
        "idempotency-key",
        "x-request-id",
    }
    assert {"get", "post", "patch", "delete"} <= words(answer["Access-Control-Allow-Methods"])
    assert int(answer["Access-Control-Max-Age"]) > 0
    assert "origin" in words(answer["Vary"])


def test_its_requests_are_answered_with_what_clients_need(allowed: None, client_user: Caller) -> None:
    answer = client_user.get("/api/auth/profile/", Origin=FRONT_END)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert words(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED


@pytest.mark.parametrize("path", API)
def test_cookies_are_never_allowed(allowed: None, path: str) -> None:
    for headers in (preflight(path).headers, Client().get(path, headers={"Origin": FRONT_END}).headers):
        assert "Access-Control-Allow-Credentials" not in headers


def test_errors_can_be_read_too(allowed: None, client_user: Caller, visitor: Caller, settings: LazySettings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    for _ in range(60):
        LoginAttempt.objects.create(identifier="x", ip="127.0.0.1", attempted_at=client_user.user.created_at)
    answers = [
        visitor.get("/api/auth/profile/", Origin=FRONT_END),
        visitor.get("/api/nowhere/", Origin=FRONT_END),
        client_user.post("/api/tasks/create/", {"title": ""}, Origin=FRONT_END),
        client_user.send("POST", "/api/tasks/create/", "{}", content_type="text/plain", Origin=FRONT_END),
        client_user.send("POST", "/api/tasks/create/", "x" * 1_000_001, Origin=FRONT_END),
        visitor.post("/api/auth/login/", {"username": "ada", "password": "guess"}, Origin=FRONT_END),
        client_user.post("/payments/payment-methods/setup/", Origin=FRONT_END),
    ]
    assert [answer.status for answer in answers] == [401, 404, 422, 415, 413, 429, 503]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == FRONT_END
        assert words(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED
    assert answers[-2].headers["Retry-After"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.org", "https://app.example.org.evil.example", "null"]
)
def test_another_origin_gets_nothing(allowed: None, client_user: Caller, origin: str) -> None:
    assert grants(preflight("/api/tasks/create/", origin=origin).headers) == {}
    assert grants(client_user.get("/api/auth/profile/", Origin=origin).headers) == {}


@pytest.mark.parametrize("path", NOT_API + WEBHOOKS)
def test_pages_and_webhooks_are_for_no_other_origin(allowed: None, path: str) -> None:
    assert grants(preflight(path).headers) == {}
    assert grants(Client().get(path, headers={"Origin": FRONT_END}).headers) == {}


def test_no_origin_may_by_default(client_user: Caller, settings: LazySettings) -> None:
    assert Environment().cors_allowed_origins == []
    assert cors.cors_settings(Environment(), list(settings.MIDDLEWARE)) == {}
    assert cors.MIDDLEWARE not in settings.MIDDLEWARE
    assert grants(preflight("/api/tasks/create/").headers) == {}
    assert grants(client_user.get("/api/auth/profile/", Origin=FRONT_END).headers) == {}
