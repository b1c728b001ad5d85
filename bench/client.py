"""A small HTTP client with persistent connections. Its overhead is the same in everything that is compared."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30


class BadAnswer(Exception):
    """A response that the benchmark did not expect."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def expect(self, *statuses: int) -> "Answer":
        """Return the response itself if it has one of the statuses. Raises BadAnswer."""
        if self.status not in statuses:
            raise BadAnswer(f"{self.status} instead of {statuses}: {self.body[:500]!r}")
        return self


@dataclass(frozen=True, slots=True)
class Load:
    """The results of a batch of requests."""

    seconds: float
    statuses: Counter[int]

    @property
    def per_second(self) -> float:
        """Responses per second."""
        return self.statuses.total() / self.seconds


def request(
    method: str, path: str, *, token: str = "", body: Any = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of a request; `body` is bytes, or anything that can be written as JSON."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = {"Host": "127.0.0.1", "Content-Length": str(len(raw)), **(headers or {})}
    if token:
        lines["Authorization"] = f"Bearer {token}"
    if raw:
        lines.setdefault("Content-Type", "application/json")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw


class Connection:
    """One persistent connection."""

    def __init__(self, address: str, *, seconds: float = TIMEOUT_SECONDS) -> None:
        """Connect; `seconds` is the timeout of a response."""
        parts = urlsplit(address)
        self._socket = socket.create_connection((parts.hostname, parts.port), seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def send(self, message: bytes) -> Answer:
        """Send a request and read the response."""
        self._socket.sendall(message)
        line = self._file.readline()
        if not line:
            raise BadAnswer("the server closed the connection")
        length = 0
        while (header := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"transfer-encoding":
                raise BadAnswer("the answer is chunked")
        return Answer(int(line.split()[1]), self._file.read(length))

    def call(self, method: str, path: str, **options: Any) -> Answer:
        """Build a request, send it, and read the response."""
        return self.send(request(method, path, **options))

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()


def load(address: str, messages: Sequence[bytes], *, connections: int) -> Load:
    """Send the messages over several connections in parallel; each connection sends the next after a response."""
    statuses: list[Counter[int]] = [Counter() for _ in range(connections)]
    failures: list[Exception] = []
    lines = [Connection(address) for _ in range(connections)]
    start = threading.Barrier(connections + 1)

    def work(number: int) -> None:
        start.wait()
        try:
            for message in messages[number::connections]:
                statuses[number][lines[number].send(message).status] += 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    if failures:
        raise failures[0]
    return Load(seconds, sum(statuses, Counter()))
