"""Reads request bodies in the event loop, with limits on size, time and memory."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from multitask.web.server.memory_budget import BufferBudget

Receive = Callable[[], Awaitable[dict[str, Any]]]

# Bytes of each body that are not counted, so that small requests are accepted even when the budget is used up.
ALLOWANCE_BYTES: Final = 16_384


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class Disconnected(Exception):
    """The body ended before its declared length."""


@dataclass(frozen=True, slots=True)
class Body:
    """A complete body, and how many bytes of the budget it takes until `let_go`."""

    content: bytes = b""
    taken: int = 0

    def file(self) -> io.BytesIO:
        """Return the body as a file object for WSGI."""
        return io.BytesIO(self.content)


NONE: Final = Body()


class Reader:
    """Reads bodies of at most `largest` bytes within `seconds`, all together within `total_bytes` of memory."""

    def __init__(self, *, largest: int, seconds: float, total_bytes: int) -> None:
        """Store the limits."""
        self._largest, self._seconds = largest, seconds
        self.budget = BufferBudget(total_bytes)
        self.unfinished = 0

    async def read(
        self, headers: dict[str, str], receive: Receive, network: str, *, largest: int | None = None
    ) -> Body:
        """Return the complete body; call `let_go` with it at the end of the request.

        `largest` is the limit of this body, where it is not that of all.

        Bodies that Django refuses by their headers are not read: those with a declared length above the limit and
        those without a declared length. Raises BodyTooSlow, BufferFull or Disconnected.
        """
        declared = _declared(headers)
        if not 0 < declared <= (self._largest if largest is None else largest):
            return NONE
        self.unfinished += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive, declared, network)
        except TimeoutError:
            raise BodyTooSlow from None
        finally:
            self.unfinished -= 1

    def let_go(self, body: Body, network: str) -> None:
        """Return the bytes of a body to the budget."""
        self.budget.give_back(network, body.taken)

    async def _read(self, receive: Receive, declared: int, network: str) -> Body:
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
                self.budget.take(network, counted)
                taken += counted
        except BaseException:
            self.budget.give_back(network, taken)
            raise
        return Body(b"".join(parts), taken)


def _declared(headers: dict[str, str]) -> int:
    """Return the declared length in bytes; 0 if none is declared."""
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
