"""Bodies are read whole, within bounds of time, size and memory."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from multitask.web.server.bodies import (
    ALLOWANCE_BYTES,
    Body,
    BodyTooSlow,
    Disconnected,
    Reader,
    Receive,
)
from multitask.web.server.memory_budget import BufferFull
from tests.unit.web import virtual_time

SECONDS = 20.0


def reader(total_bytes: int = 1_000_000) -> Reader:
    return Reader(largest=100_000, seconds=SECONDS, total_bytes=total_bytes)


def pieces(*sent: bytes, pause: float = 0.0, ends: bool = True) -> Receive:
    """A connection that sends these pieces with a pause before each, then nothing more, or its end."""
    waiting = list(sent)

    async def receive() -> dict[str, Any]:
        if waiting:
            await asyncio.sleep(pause)
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}
        if ends:
            return {"type": "http.disconnect"}
        await asyncio.sleep(3_600)
        raise AssertionError("nobody waits that long")

    return receive


def read(receive: Receive, length: object, bodies: Reader | None = None) -> Body:
    return virtual_time.run((bodies or reader()).read({"content-length": str(length)}, receive, "192.0.2.1"))


@pytest.mark.parametrize("sent", [[b"hello"], [b"he", b"llo"], [b"h", b"e", b"l", b"l", b"o"]])
def test_a_body_in_pieces_is_put_together(sent: Sequence[bytes]) -> None:
    assert read(pieces(*sent, pause=3), 5).file().read() == b"hello"


def test_a_body_that_never_ends_is_given_up() -> None:
    bodies = reader()
    with pytest.raises(BodyTooSlow):
        read(pieces(b"{", ends=False), 500, bodies)
    assert bodies.unfinished == bodies.budget.taken == 0


def test_a_body_in_drops_has_no_more_time_than_another() -> None:
    with pytest.raises(BodyTooSlow):
        read(pieces(*[b"x"] * 500, pause=1), 500)


def test_a_body_that_breaks_off_is_no_request() -> None:
    with pytest.raises(Disconnected):
        read(pieces(b"half"), 500)


@pytest.mark.parametrize("length", ["100001", "0", "", "-1", "5x", "9" * 30, "\u0665"])
def test_what_is_refused_by_its_headers_is_not_read(length: str) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("it was read")

    assert read(receive, length).file().read() == b""


def test_unfinished_bodies_have_a_bound_in_all_and_for_each_address() -> None:
    async def story() -> None:
        bodies = reader(total_bytes=200_000)
        headers = {"content-length": "90000"}

        async def send(address: str) -> Body:
            return await bodies.read(headers, pieces(b"x" * 60_000, ends=False), address)

        loop = asyncio.get_running_loop()
        first = loop.create_task(send("a"))
        await asyncio.sleep(1)
        assert bodies.budget.taken == 60_000 - ALLOWANCE_BYTES
        with pytest.raises(BufferFull):
            await send("a")
        others = [loop.create_task(send(address)) for address in "bcd"]
        await asyncio.sleep(1)
        with pytest.raises(BufferFull):
            await send("e")
        small = await bodies.read({"content-length": "500"}, pieces(b"x" * 500), "e")
        assert small.taken == 0

        for task in (first, *others):
            with pytest.raises(BodyTooSlow):
                await task
        assert bodies.budget.taken == 0

    virtual_time.run(story())


def test_a_large_body_takes_room_until_it_is_let_go() -> None:
    async def story() -> None:
        bodies = reader()
        body = await bodies.read({"content-length": "60000"}, pieces(b"x" * 60_000), "a")
        assert bodies.budget.taken == body.taken > 0
        bodies.let_go(body, "a")
        assert bodies.budget.taken == 0

    virtual_time.run(story())
