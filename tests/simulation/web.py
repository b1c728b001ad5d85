"""Requests to our own application, called as a server calls it, in the caller's thread."""

import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from multitask import providers
from tests.simulation.tasks import Crash

_handler: WSGIHandler | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ours."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The code of an error, or nothing."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def is_done(self) -> bool:
        """Whether what was asked for is done."""
        return 200 <= self.status < 300


def ask(method: str, url: str, body: bytes = b"", *, address: str = "192.0.2.7", **headers: str) -> Answer:
    """Ask our application. Raises Crash when its process ends, after which nothing of it is left."""
    global _handler
    _handler = _handler or WSGIHandler()
    parts = urlsplit(url)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": address,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
        **headers,
    }
    began: list[Any] = []

    def start(status: str, given: list[tuple[str, str]], *_: Any) -> Any:
        began[:] = [int(status.split(maxsplit=1)[0]), dict(given)]

    try:
        response = _handler(environ, start)
        content = b"".join(response)
        response.close()
    except Crash:
        forget()
        raise
    is_json = "json" in began[1].get("Content-Type", "")
    return Answer(began[0], json.loads(content) if is_json and content else None, began[1])


def forget() -> None:
    """Lose what the process of this thread knew: its connection, its clients, the context of its log."""
    connection.close()
    providers._stripe.cache_clear()
    providers._paymob.cache_clear()
    structlog.contextvars.clear_contextvars()
