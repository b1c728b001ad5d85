"""The ASGI application around a WSGI application: which requests run while threads are busy, and which are refused."""

import asyncio
import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.conf import LazySettings

from multitask.config import cors
from multitask.config.environment import Environment
from multitask.web.api import tokens
from multitask.web.server import origins
from multitask.web.server.application import Server
from multitask.web.server.lanes import Name
from multitask.web.server.settings import Settings

SETTINGS = Settings(
    threads=4,
    wait_seconds=30,
    largest_body=1_000,
    body_seconds=30,
    bodies_bytes=100_000,
    files_bytes=4_000_000,
    send_seconds=30,
    requests_per_minute=0,
    session_cookie="sessionid",
)
PROVIDER = "/payments/intents/create/"
WEBHOOK = "/payments/webhooks/stripe/"
Answer = tuple[int, dict[str, str], bytes]
USERS: dict[str, int] = defaultdict(count(1).__next__)


def bearer(who: str) -> str:
    """A token that we signed, for another session of this person each time."""
    signed = tokens.access(user_id=USERS[who], session=uuid.uuid4(), now=datetime.now(UTC), proved_at=None)
    return f"Bearer {signed}"


class Site:
    """A WSGI application that repeats the body; while it is closed, no request to it ends."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.environs.append(environ)
        assert self.is_open.wait(60)
        start("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]


async def ask(
    server: Server,
    path: str,
    *,
    body: bytes = b"",
    who: str = "",
    declared: int | None = None,
    headers: Mapping[str, str] | None = None,
    raw_path: bytes | None = None,
    breaks_off: bool = False,
    client: str = "192.0.2.1",
) -> Answer:
    """Make one request without a network; the body comes at once, and after it nothing or the end."""
    length = len(body) if declared is None else declared
    headers = {"content-length": str(length), "authorization": bearer(who) if who else "", **(headers or {})}
    scope = {
        "type": "http",
        "method": "POST" if body or declared else "GET",
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": (client, 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }
    waiting, messages = [body], []

    async def receive() -> dict[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": True}
        if breaks_off:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await server(scope, receive, send)
    start, *rest = messages
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], found, b"".join(message["body"] for message in rest)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_whole_request_is_answered_by_a_thread() -> None:
    site = Site()
    status, headers, body = asyncio.run(ask(Server(site, SETTINGS), "/tasks/", body=b"hello"))
    assert (status, headers["content-length"], body) == (200, "5", b"hello")
    assert site.environs[0]["REQUEST_METHOD"] == "POST"


def test_a_body_that_is_too_large_is_left_to_the_application_unread() -> None:
    site = Site()
    status, _, body = asyncio.run(ask(Server(site, SETTINGS), "/tasks/", body=b"x", declared=1_001))
    assert (status, body) == (200, b"")
    assert site.environs[0]["CONTENT_LENGTH"] == "1001"


@pytest.mark.parametrize(("path", "most"), [(PROVIDER, 2), ("/tasks/", 3), (WEBHOOK, 3)])
def test_when_one_lane_is_busy_the_others_are_answered(path: str, most: int) -> None:
    async def story() -> None:
        site = Site()
        server = Server(site, SETTINGS)
        site.is_open.clear()
        loop = asyncio.get_running_loop()
        busy = [loop.create_task(ask(server, path, who=f"client {number}")) for number in range(20)]
        await until(lambda: len(site.environs) == most)

        assert (await ask(server, "/healthz"))[0] == 200
        others = {"/readyz", "/tasks/", WEBHOOK} - {path}
        asked = [loop.create_task(ask(server, other)) for other in others]
        # Each has a thread, though none of the first has come back.
        await until(lambda: {environ["PATH_INFO"] for environ in site.environs} == {path, *others})
        site.is_open.set()
        assert {answer[0] for answer in await asyncio.gather(*busy, *asked)} == {200}
        assert not any(server.lanes.running(name) for name in Name)

    asyncio.run(story())


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    async def story() -> list[Answer]:
        server = Server(Site(), replace(SETTINGS, requests_per_minute=2))
        for path in ("/healthz", "/readyz", WEBHOOK):
            for _ in range(5):
                assert (await ask(server, path, who="a"))[0] == 200
        assert (await ask(server, "/tasks/", who="b"))[0] == 200
        return [await ask(server, "/tasks/", who="a") for _ in range(3)]

    *answered, (status, headers, body) = asyncio.run(story())
    assert [answer[0] for answer in answered] == [200, 200]
    assert (status, json.loads(body)["code"]) == (429, "too_many_requests")
    assert int(headers["retry-after"]) > 0
    assert headers["x-request-id"]


def test_who_waited_too_long_is_told_to_come_again() -> None:
    async def story() -> Answer:
        site = Site()
        server = Server(site, replace(SETTINGS, wait_seconds=0.01))
        site.is_open.clear()
        loop = asyncio.get_running_loop()
        busy = [loop.create_task(ask(server, "/tasks/", who=f"client {number}")) for number in range(3)]
        await until(lambda: len(site.environs) == 3)
        refused = await ask(server, "/tasks/", who="late")
        site.is_open.set()
        await asyncio.gather(*busy)
        return refused

    status, headers, body = asyncio.run(story())
    assert (status, json.loads(body)["code"], headers["retry-after"]) == (503, "temporarily_unavailable", "5")


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_who_looks_at_pages_is_told_by_a_page(language: str, direction: str) -> None:
    async def story() -> list[Answer]:
        server = Server(Site(), replace(SETTINGS, requests_per_minute=1))
        headers = {"accept": "text/html,*/*", "accept-language": language}
        return [await ask(server, path, headers=headers) for path in ("/", "/tasks/", "/payments/wallet/")]

    _, (status, headers, body), (_, of_api, _) = asyncio.run(story())
    assert (status, headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert f'dir="{direction}"' in body.decode()
    assert int(headers["retry-after"]) > 0
    assert of_api["content-type"] == "application/json"


async def made_up(server: Server, path: str, number: int) -> Answer:
    """Ask with a token and a cookie that nobody gave out."""
    return await ask(server, path, headers={"authorization": f"Bearer {number}", "cookie": f"sessionid={number}"})


def test_made_up_tokens_and_cookies_do_not_delay_a_person_who_is_signed_in() -> None:
    async def story() -> None:
        site = Site()
        server = Server(site, SETTINGS)
        site.is_open.clear()
        loop = asyncio.get_running_loop()
        crowd = [loop.create_task(made_up(server, "/tasks/", number)) for number in range(600)]
        await until(lambda: server.lanes.waiting(Name.ORDINARY) == 512)

        # The threads that the crowd cannot have are enough for the person.
        mine = loop.create_task(ask(server, "/wallet/", who="person"))
        await until(lambda: "/wallet/" in {environ["PATH_INFO"] for environ in site.environs})
        assert server.lanes.running(Name.ORDINARY) == 3
        site.is_open.set()
        assert (await mine)[0] == 200
        assert {answer[0] for answer in await asyncio.gather(*crowd)} == {200, 503}

    asyncio.run(story())


def test_made_up_tokens_and_cookies_do_not_evade_the_limit() -> None:
    async def story() -> list[int]:
        server = Server(Site(), replace(SETTINGS, requests_per_minute=2))
        return [(await made_up(server, "/tasks/", number))[0] for number in range(3)]

    assert asyncio.run(story()) == [200, 200, 429]


def test_one_person_with_many_sessions_has_one_thread_of_the_provider_lane() -> None:
    async def story() -> None:
        site = Site()
        server = Server(site, SETTINGS)
        site.is_open.clear()
        loop = asyncio.get_running_loop()
        many = [loop.create_task(ask(server, PROVIDER, who="person")) for _ in range(4)]
        await until(lambda: server.lanes.waiting(Name.PROVIDER) == 3)
        other = loop.create_task(ask(server, PROVIDER, who="other"))
        await until(lambda: server.lanes.running(Name.PROVIDER) == 2)
        assert server.lanes.waiting(Name.PROVIDER) == 3
        site.is_open.set()
        assert {answer[0] for answer in await asyncio.gather(*many, other)} == {200}

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/api/auth/login/", "/sign-in/"])
def test_who_logs_in_counts_by_the_network_whatever_proof_they_have(path: str) -> None:
    async def story() -> list[int]:
        server = Server(Site(), replace(SETTINGS, requests_per_minute=2))
        return [(await ask(server, path, who=f"person {number}"))[0] for number in range(3)]

    assert asyncio.run(story()) == [200, 200, 429]


def test_a_body_that_ends_early_is_answered() -> None:
    site = Site()
    status, headers, body = asyncio.run(ask(Server(site, SETTINGS), "/tasks/", body=b"x", declared=9, breaks_off=True))
    assert (status, json.loads(body)["code"], headers["connection"]) == (400, "bad_request", "close")
    assert not site.environs


def test_a_request_that_cannot_be_made_gives_its_place_back() -> None:
    async def story() -> Answer:
        server = Server(Site(), SETTINGS)
        # No byte string has this path.
        answer = await ask(server, "/\ud800/", raw_path=b"")
        assert not any(server.lanes.running(name) for name in Name)
        return answer

    status, _, body = asyncio.run(story())
    assert (status, json.loads(body)["code"]) == (500, "internal_error")


def test_the_addresses_of_one_network_share_the_room_for_bodies() -> None:
    async def story() -> list[int]:
        server = Server(Site(), replace(SETTINGS, largest_body=100_000, bodies_bytes=100_000))
        loop = asyncio.get_running_loop()
        half = [
            loop.create_task(ask(server, "/tasks/", body=b"x" * 40_000, declared=90_000, client=f"2001:db8::{number}"))
            for number in range(2)
        ]
        await until(lambda: any(task.done() for task in half))
        refused = [task.result()[0] for task in half if task.done()]
        for task in half:
            task.cancel()
        return refused

    assert asyncio.run(story()) == [503]


def test_large_responses_without_room_for_their_files_are_refused_for_a_while() -> None:
    async def story() -> tuple[Answer, int]:
        server = Server(lambda environ, start: large(start), SETTINGS)
        refused = await ask(server, "/tasks/")
        return refused, server.files.taken

    def large(start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [])
        return [b"x" * 500_000] * 3

    (status, headers, body), taken = asyncio.run(story())
    assert (status, json.loads(body)["code"], headers["retry-after"]) == (503, "temporarily_unavailable", "5")
    assert taken == 0


def test_a_caller_who_went_away_leaves_the_thread_to_others() -> None:
    async def story() -> None:
        site = Site()
        server = Server(site, SETTINGS)
        site.is_open.clear()
        gone = asyncio.get_running_loop().create_task(ask(server, "/tasks/"))
        await until(lambda: bool(site.environs))
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert server.lanes.running(Name.ORDINARY) == 1
        site.is_open.set()
        await until(lambda: server.lanes.running(Name.ORDINARY) == 0)

    asyncio.run(story())


@pytest.mark.parametrize(("path", "may_read"), [("/payments/wallet/", True), (WEBHOOK, False), ("/wallet/", False)])
def test_a_named_front_end_may_read_a_refusal_by_the_server_itself(
    settings: LazySettings, path: str, may_read: bool
) -> None:
    origin = "https://app.example.org"
    environment = Environment(cors_allowed_origins=[origin])
    for name, value in cors.cors_settings(environment, list(settings.MIDDLEWARE)).items():
        setattr(settings, name, value)

    allowed = origins.headers_for(path, {"origin": origin, "host": "testserver"})
    other = origins.headers_for(path, {"origin": "https://other.example.org", "host": "testserver"})
    assert allowed.get("access_control_allow_origin") == (origin if may_read else None)
    assert "access_control_allow_origin" not in other


def test_without_named_front_ends_no_refusal_speaks_of_origins() -> None:
    assert origins.headers_for("/payments/wallet/", {"origin": "https://app.example.org"}) == {}
