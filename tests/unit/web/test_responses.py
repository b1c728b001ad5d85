"""Responses are collected whole, and sent at their reader's speed within bounds."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from multitask.web.server import responses, threads
from multitask.web.server.memory_budget import BufferBudget, BufferFull, Share
from multitask.web.server.responses import IN_MEMORY_BYTES, Response
from tests.unit.web import virtual_time

MEGABYTE = b"x" * 1_000_000


def share(budget: BufferBudget | None = None, network: str = "192.0.2.1") -> Share:
    return Share(budget or BufferBudget(100_000_000), network)


def collected(*pieces: bytes, of: Share | None = None) -> Response:
    return responses.collect("200 OK", [("Content-Type", "text/csv")], pieces, of or share())


def sent(response: Response, *, without_body: bool = False, pause: float = 0.0) -> list[dict[str, Any]]:
    """What a reader gets who takes `pause` seconds for each message."""
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(pause)
        messages.append(message)

    virtual_time.run(response.send(send, without_body=without_body, seconds=30))
    return messages


@pytest.mark.parametrize("pieces", [[b"a", b"bc"], [MEGABYTE], [b"y" * 1_000] * 1_000, []])
def test_what_is_sent_is_what_was_written_with_its_length(pieces: list[bytes]) -> None:
    response = collected(*pieces)
    start, *bodies = sent(response, pause=29)
    whole = b"".join(pieces)
    assert b"".join(message["body"] for message in bodies) == whole
    assert dict(start["headers"])[b"content-length"] == str(len(whole)).encode()
    assert not bodies[-1].get("more_body", False)
    assert (response.file is not None) == (len(whole) > IN_MEMORY_BYTES)


def test_head_has_the_length_and_no_body() -> None:
    start, *bodies = sent(collected(MEGABYTE), without_body=True)
    assert dict(start["headers"])[b"content-length"] == b"1000000"
    assert b"".join(message["body"] for message in bodies) == b""


@pytest.mark.parametrize("body", [MEGABYTE, b"small", b""])
def test_a_reader_who_takes_nothing_is_given_up(body: bytes) -> None:
    with pytest.raises(TimeoutError):
        sent(collected(body), pause=31)
    with pytest.raises(TimeoutError):
        sent(collected(body), without_body=True, pause=31)


def test_files_have_a_bound_in_all_and_for_each_network_until_they_are_closed() -> None:
    budget = BufferBudget(4_000_000)
    first = collected(MEGABYTE, of=share(budget, "a"))
    assert budget.taken == len(MEGABYTE)
    with pytest.raises(BufferFull):
        collected(*[b"x" * 1_000] * 1_000, of=share(budget, "a"))
    others = [collected(MEGABYTE, of=share(budget, network)) for network in "bcd"]
    with pytest.raises(BufferFull):
        collected(MEGABYTE, of=share(budget, "e"))
    assert collected(b"small", of=share(budget, "e")).content == b"small"
    assert budget.taken == 4_000_000

    for response in (first, *others):
        response.close()
        response.close()
    assert budget.taken == 0


def test_a_large_body_that_breaks_off_takes_no_room() -> None:
    def pieces() -> Iterator[bytes]:
        yield MEGABYTE
        raise ValueError

    budget = BufferBudget(4_000_000)
    assert threads.respond(answering(Body(pieces())), {"PATH_INFO": "/"}, share(budget)).status == 500
    assert budget.taken == 0


def test_each_cookie_keeps_its_header() -> None:
    response = responses.collect("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], [], share())
    assert [value for name, value in response.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]


class Body:
    """The body of a WSGI response that has to be closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces, self.is_closed = pieces, False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.is_closed = True


def answering(body: Body) -> Callable[..., Body]:
    """A WSGI application that answers with this body."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Body:
        start("200 OK", [])
        return body

    return application


def test_a_body_is_closed_when_it_is_written() -> None:
    body = Body([b"hello"])
    assert threads.respond(answering(body), {"PATH_INFO": "/"}, share()).content == b"hello"
    assert body.is_closed


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (ValueError, 500)])
def test_a_body_that_breaks_off_is_an_error_as_nothing_was_sent(error: type[Exception], status: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise error

    body = Body(pieces())
    response = threads.respond(answering(body), {"PATH_INFO": "/"}, share())
    assert response.status == status
    assert b'"code"' in response.content
    assert body.is_closed
