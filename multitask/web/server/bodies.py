"""Reads request bodies in the event loop, within bounds of size, time and memory."""

import asyncio
import io
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

Receive = Callable[[], Awaitable[dict[str, Any]]]

# What one body may hold without being counted: the small requests of others always find room.
ALLOWANCE_BYTES: Final = 16_384
# The share of the room that the bodies of one network address may take.
SHARE_OF_ONE: Final = 4


class BodyTooSlow(Exception):
    """The body was not there in time."""


class NoRoom(Exception):
    """Unfinished bodies hold as much memory as they may."""


class Disconnected(Exception):
    """The caller went away before the body was there."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is there whole, and how much of the room it takes until it is let go."""

    content: bytes = b""
    taken: int = 0

    def file(self) -> io.BytesIO:
        """Return it as the file that WSGI reads."""
        return io.BytesIO(self.content)


NONE: Final = Body()


class Room:
    """The memory that unfinished bodies may hold: so many bytes in all, and a share of that for each address."""

    def __init__(self, total_bytes: int) -> None:
        """Begin empty."""
        self._total = total_bytes
        self._most_of_one = max(1, total_bytes // SHARE_OF_ONE)
        self.taken = 0
        self._taken_by: Counter[str] = Counter()

    def take(self, address: str, size: int) -> None:
        """Take `size` bytes for an address. Raises NoRoom."""
        if not size:
            return
        if self.taken + size > self._total or self._taken_by[address] + size > self._most_of_one:
            raise NoRoom
        self.taken += size
        self._taken_by[address] += size

    def give_back(self, address: str, size: int) -> None:
        """Give back what was taken."""
        if not size:
            return
        self.taken -= size
        self._taken_by[address] -= size
        if not self._taken_by[address]:
            del self._taken_by[address]


class Reader:
    """Reads bodies of at most `largest` bytes within `seconds`, together in `room_bytes` of memory."""

    def __init__(self, *, largest: int, seconds: float, room_bytes: int) -> None:
        """Keep the bounds."""
        self._largest, self._seconds = largest, seconds
        self.room = Room(room_bytes)
        self.unfinished = 0

    async def read(self, headers: dict[str, str], receive: Receive, address: str) -> Body:
        """Return the body once it is there whole; `let_go` of it at the end of the request.

        What Django refuses by its headers is not read at all: a declared length above the bound, or a body without
        a declared length. Raises BodyTooSlow, NoRoom or Disconnected.
        """
        declared = _declared(headers)
        if not 0 < declared <= self._largest:
            return NONE
        self.unfinished += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive, declared, address)
        except TimeoutError:
            raise BodyTooSlow from None
        finally:
            self.unfinished -= 1

    def let_go(self, body: Body, address: str) -> None:
        """Give back the room that a body took."""
        self.room.give_back(address, body.taken)

    async def _read(self, receive: Receive, declared: int, address: str) -> Body:
        parts: list[bytes] = []
        size = taken = 0
        try:
            while size < declared:
                message = await receive()
                part: bytes = message.get("body", b"")
                parts.append(part)
                size += len(part)
                if size < declared and not message.get("more_body", False):
                    raise Disconnected
                counted = max(0, size - ALLOWANCE_BYTES) - taken
                self.room.take(address, counted)
                taken += counted
        except BaseException:
            self.room.give_back(address, taken)
            raise
        return Body(b"".join(parts), taken)


def _declared(headers: dict[str, str]) -> int:
    """The declared length in bytes; 0 when none is declared."""
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
