"""Responses that are complete before the first byte is sent, so that slow readers do not block a thread."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from multitask.web.api import error_statuses
from multitask.web.api.error_statuses import Answer
from multitask.web.server.memory_budget import Share

Send = Callable[[dict[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

# A larger response is stored in a temporary file.
IN_MEMORY_BYTES: Final = 262_144
PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response, with its body in memory or in a temporary file.

    `share` is what the file takes from the budget until it is closed.
    """

    status: int
    headers: RawHeaders
    content: bytes = b""
    file: IO[bytes] | None = None
    share: Share | None = None

    async def send(self, send: Send, *, without_body: bool, seconds: float) -> None:
        """Send the response at the reader's speed. Raises TimeoutError if one piece takes longer than `seconds`.

        The declared length lets the reader detect a truncated body.
        """
        for message in self._messages(without_body=without_body):
            async with asyncio.timeout(seconds):
                await send(message)

    def close(self) -> None:
        """Close and delete the file, and return its bytes to the budget."""
        if self.file is not None:
            self.file.close()
        if self.share is not None:
            self.share.give_back()

    def _messages(self, *, without_body: bool) -> Iterator[dict[str, Any]]:
        yield {"type": "http.response.start", "status": self.status, "headers": self.headers}
        if self.file is None or without_body:
            yield {"type": "http.response.body", "body": b"" if without_body else self.content}
            return
        while piece := self.file.read(PIECE_BYTES):
            yield {"type": "http.response.body", "body": piece, "more_body": True}
        yield {"type": "http.response.body", "body": b""}


def collect(status: str, headers: list[tuple[str, str]], body: Iterable[bytes], share: Share) -> Response:
    """Collect the complete body of a WSGI response; `share` is for its file. Raises BufferFull."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    content, file, size = _spooled(body, share)
    if not any(name == b"content-length" for name, _ in raw) and int(status[:3]) not in {204, 304}:
        raw.append((b"content-length", str(size).encode()))
    return Response(int(status[:3]), raw, content, file, share)


def _spooled(body: Iterable[bytes], share: Share) -> tuple[bytes, IO[bytes] | None, int]:
    """Return the body in memory or in a file, and its size. On an error the file is closed and its bytes released."""
    pieces: list[bytes] = []
    size, file = 0, None
    try:
        for piece in body:
            size += len(piece)
            if file is None and size > IN_MEMORY_BYTES:
                share.take(size)
                file = tempfile.TemporaryFile(prefix="multitask-response-")  # noqa: SIM115 - closed once it is sent
                file.writelines([*pieces, piece])
                pieces = []
            elif file is None:
                pieces.append(piece)
            else:
                share.take(len(piece))
                file.write(piece)
        if file is not None:
            file.seek(0)
    except BaseException:
        if file is not None:
            file.close()
        share.give_back()
        raise
    return b"".join(pieces), file, size


def of_answer(answer: Answer, **headers: str) -> Response:
    """Return the response of an error that does not come from Django; header names are written with underscores."""
    made = error_statuses.response(answer)
    return of_content(made.content, answer.status, {**dict(made.items()), **headers})


def of_content(content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """Return a response that must not be cached; header names are written with underscores or hyphens."""
    whole = {"Cache-Control": "no-store", **headers, "Content-Length": str(len(content))}
    named = {name.lower().replace("_", "-").encode(): value.encode("latin-1") for name, value in whole.items()}
    return Response(status, [*named.items()], content)
