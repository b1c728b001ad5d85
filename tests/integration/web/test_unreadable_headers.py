"""Headers that name a codec which decodes no text, or a session that cannot be one, are no server error."""

import asyncio
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from multitask.config.asgi import application
from multitask.users.models import User
from multitask.web.server import environ
from multitask.web.server.bodies import NONE
from multitask.web.session_store import SessionStore

WEBHOOK = "/payments/webhooks/stripe/"
NUL_COOKIE = rb'sessionid="\000abcdefghijk"'


async def ask(
    headers: list[tuple[bytes, bytes]], path: str, method: str, body: bytes = b"{}", query: bytes = b""
) -> int:
    """Make one request at the entry point that the server loads; return the status."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode()), *headers],
        "client": ("192.0.2.9", 1),
        "server": ("127.0.0.1", 80),
        "http_version": "1.1",
        "scheme": "http",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"])


# The requests run in threads of the server, with connections of their own.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value", "path", "method", "query"),
    [
        (b"content-type", b"application/x-www-form-urlencoded; x*=undefined''%41", WEBHOOK, "POST", b""),
        (b"content-type", b"application/json; charset=rot13", WEBHOOK, "POST", b"a=%41"),
        (b"content-type", b"text/plain; charset=rot13", "/sign-in/", "GET", b"a=%41"),
        (b"content-type", b"text/plain; charset=undefined", "/api/tasks/", "GET", b"a=%41"),
        (b"cookie", NUL_COOKIE, "/", "GET", b""),
        (b"cookie", NUL_COOKIE, "/readyz", "GET", b""),
        (b"cookie", NUL_COOKIE, "/api/auth/profile/", "GET", b""),
        (b"cookie", NUL_COOKIE, "/backoffice/", "GET", b""),
    ],
)
def test_no_header_makes_a_server_error(name: bytes, value: bytes, path: str, method: str, query: bytes) -> None:
    body = b"{}" if method == "POST" else b""
    assert asyncio.run(ask([(name, value)], path, method, body, query)) < 500


@pytest.mark.django_db
def test_a_form_is_read_as_utf_8_whatever_its_charset() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="identifier"\r\n\r\n+2AA-\r\n--b--'
    # Not `post`, which would encode the body in the charset that it is given.
    answer = Client().generic("POST", "/sign-in/", body, "multipart/form-data; boundary=b; charset=utf-7")
    assert answer.status_code < 500
    assert "+2AA-" in answer.content.decode()


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("Application/JSON", "application/json"),
        ("multipart/form-data; charset=utf-7; boundary=a1", "multipart/form-data; boundary=a1"),
        ('multipart/form-data;Boundary="a; b";charset=hex', 'multipart/form-data; boundary="a; b"'),
        ("multipart/form-data; boundary*=undefined''%41", "multipart/form-data"),
        ("text/plain; boundary=a1", "text/plain"),
        ("", ""),
    ],
)
def test_of_a_content_type_the_media_type_and_the_boundary_are_passed_on(sent: str, passed_on: str) -> None:
    scope = {
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [(b"content-type", sent.encode())],
    }
    assert environ.build(scope, environ.headers_of(scope), NONE)["CONTENT_TYPE"] == passed_on


@pytest.mark.django_db
def test_sessions_that_django_made_go_on_working() -> None:
    user = User.objects.create_user("ada", "ada@example.com", is_client=True)
    browser = Client()
    browser.force_login(user)
    key = Session.objects.get().session_key
    assert SessionStore(key).session_key == key
    assert browser.get("/api/auth/profile/").status_code == 200


@pytest.mark.parametrize("key", ["\0" + "a" * 31, "a" * 31, "a" * 33, "A" * 32, "a" * 32 + "\n", "", None])
def test_what_django_did_not_make_is_no_key(key: str | None) -> None:
    assert SessionStore(key).session_key is None
