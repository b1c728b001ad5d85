"""Callers for turns and limits, and the lane of each path."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import resolve

from multitask.web.api import accounts, tasks, tokens
from multitask.web.server import callers, environ, lane_rules
from multitask.web.server.bodies import NONE, Body
from multitask.web.server.callers import Caller, Limits, TooManyRequests, caller_of, network_of
from multitask.web.server.lanes import Name


def name(address: str = "192.0.2.1", *, needs_no_sign_in: bool = False, **headers: str) -> Caller:
    network = network_of(address)
    return caller_of(headers, network, session_cookie="sessionid", needs_no_sign_in=needs_no_sign_in)


def bearer(user_id: int = 7, *, issued_at: datetime | None = None) -> str:
    """A token for a session of its own."""
    now = issued_at or datetime.now(UTC)
    return f"Bearer {tokens.access(user_id=user_id, session=uuid.uuid4(), now=now, proved_at=None)}"


def test_a_token_that_we_signed_is_its_user_wherever_it_comes_from() -> None:
    own = name("192.0.2.1", authorization=bearer())
    assert own == name("192.0.2.9", authorization=bearer())
    assert own.group not in {name("192.0.2.1").group, name(authorization=bearer(8)).group, name("7").group}


def test_a_token_that_we_did_not_sign_or_that_has_expired_is_its_network() -> None:
    signed = bearer()
    forged = signed[:-8] + ("AAAAAAAA" if signed[-8:] != "AAAAAAAA" else "BBBBBBBB")
    expired = bearer(issued_at=datetime.now(UTC) - timedelta(days=2))
    for made_up in ("Bearer a", "Bearer b", "a", "Basic YTpi", "Bearer", f"Bearer {'x' * 5_000}", forged, expired):
        assert name(authorization=made_up) == name()


def test_a_session_cookie_is_a_caller_of_its_network() -> None:
    assert name(cookie="theme=dark; sessionid=a") == name(cookie="sessionid=a; theme=light")
    assert len({name(), name(cookie="sessionid=a"), name(cookie="sessionid=b")}) == 3
    assert {name(cookie=f"sessionid={value}").group for value in "abc"} == {name().group}
    assert name(cookie="sessionid=a") != name("192.0.2.2", cookie="sessionid=a")
    assert name(cookie="mysessionid=a") == name(cookie="theme=dark") == name()


def test_where_no_sign_in_is_needed_the_network_alone_counts() -> None:
    for proof in ({"authorization": bearer()}, {"cookie": "sessionid=a"}):
        assert name(needs_no_sign_in=True, **proof) == name()


def test_one_line_of_a_provider_is_one_network() -> None:
    assert name("192.0.2.1") == name("192.0.2.1") != name("192.0.2.2")
    assert name("2001:db8::1") == name("2001:db8::ffff:1") != name("2001:db8:0:1::1")


def test_a_cookie_is_not_kept_as_it_was_sent() -> None:
    assert "secret" not in name(cookie="sessionid=secret").name


def test_every_operation_without_sign_in_counts_by_its_network() -> None:
    without = {
        f"{prefix}{path}".strip("/")
        for prefix, router in (("/api/auth", accounts.router), ("/api/tasks", tasks.router))
        for path, view in router.path_operations.items()
        if any(operation.auth_param is None for operation in view.operations)
    }
    assert without == {route.strip("/") for route in lane_rules.OPEN_ROUTES if route.startswith("api/")}


@pytest.mark.parametrize("route", sorted(lane_rules.OPEN_ROUTES))
def test_each_open_route_exists(route: str) -> None:
    path = "/" + re.sub("<str:[a-z]+>", "x1", route)
    assert lane_rules.needs_no_sign_in(path)
    assert resolve(path).route == route


@pytest.mark.parametrize(
    "path", ["", "/", "/payments/wallet/", "/api/auth/profile/", "/sign-in/x", "/password/change/"]
)
def test_other_routes_are_not_open(path: str) -> None:
    assert not lane_rules.needs_no_sign_in(path)


def test_so_many_requests_at_once_and_then_as_many_per_minute() -> None:
    now = 0.0
    limits = Limits(60, lambda: now)
    for _ in range(60):
        limits.count("a")
    with pytest.raises(TooManyRequests) as refused:
        limits.count("a")
    assert refused.value.retry_after == 1
    limits.count("b")

    now += refused.value.retry_after
    limits.count("a")
    with pytest.raises(TooManyRequests):
        limits.count("a")


def test_no_limit_is_no_limit() -> None:
    limits = Limits(0, lambda: 0.0)
    for _ in range(1_000):
        limits.count("a")


def test_only_so_many_callers_are_remembered() -> None:
    limits = Limits(10, lambda: 0.0)
    for number in range(callers.REMEMBERED + 10):
        limits.count(str(number))
    assert len(limits._left) == callers.REMEMBERED


@pytest.mark.parametrize(
    ("path", "lane"),
    [
        ("/healthz", Name.SYSTEM),
        ("/metrics", Name.SYSTEM),
        ("/payments/webhooks/stripe/", Name.WEBHOOKS),
        ("/api/payments/webhooks/stripe/", Name.WEBHOOKS),
        ("/payments/intents/create/", Name.PROVIDER),
        ("/api/payments/payment-methods/12/delete/", Name.PROVIDER),
        ("/payments/payment-methods/", Name.ORDINARY),
        ("/tasks/7/pay/begin/", Name.PROVIDER),
        ("/tasks/7/pay/", Name.ORDINARY),
        ("/onboarding/start/x", Name.ORDINARY),
        ("", Name.ORDINARY),
        ("/", Name.ORDINARY),
    ],
)
def test_the_path_decides_the_lane(path: str, lane: Name) -> None:
    assert lane_rules.lane_of(path) is lane


SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/tasks/\u00e9/",
    "raw_path": b"/tasks/%C3%A9/",
    "query_string": b"a=%20b",
    "http_version": "1.1",
    "scheme": "http",
    "server": ("127.0.0.1", 8000),
    "client": ("192.0.2.1", 1234),
}


def scope(*headers: tuple[str, str]) -> dict[str, object]:
    return {**SCOPE, "headers": [(key.encode(), value.encode()) for key, value in headers]}


def test_a_header_with_an_underscore_is_not_the_one_with_a_hyphen() -> None:
    sent = scope(("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.7"), ("x_forwarded_proto", "https"))
    made = environ.build(sent, environ.headers_of(sent), NONE)
    assert made["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert "HTTP_X_FORWARDED_PROTO" not in made


def test_repeated_headers_are_joined_in_their_order() -> None:
    sent = scope(("X-Forwarded-For", "1.1.1.1"), ("Cookie", "a=1"), ("x-forwarded-for", "2.2.2.2"), ("cookie", "b=2"))
    headers = environ.headers_of(sent)
    assert headers == {"x-forwarded-for": "1.1.1.1,2.2.2.2", "cookie": "a=1; b=2"}


def test_the_environment_is_that_of_wsgi() -> None:
    sent = scope(("Content-Type", "text/plain"), ("Content-Length", "5"), ("Host", "example.org"))
    made = environ.build(sent, environ.headers_of(sent), Body(b"hello"))
    assert made["PATH_INFO"] == "/tasks/\u00c3\u00a9/"  # UTF-8, each byte as a character
    assert (made["CONTENT_TYPE"], made["CONTENT_LENGTH"], made["HTTP_HOST"]) == ("text/plain", "5", "example.org")
    assert (made["REMOTE_ADDR"], made["SERVER_PORT"], made["QUERY_STRING"]) == ("192.0.2.1", "8000", "a=%20b")
    assert made["wsgi.input"].read() == b"hello"


def test_chunked_takes_precedence_over_a_length() -> None:
    sent = scope(("Transfer-Encoding", "chunked"), ("Content-Length", "5"))
    assert environ.headers_of(sent) == {"transfer-encoding": "chunked"}
