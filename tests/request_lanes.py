"""Watches the requests of all tests: none of them calls a provider outside the lane of such requests."""

import sys
import threading
from typing import Any

from django.core.signals import request_started

from multitask.providers import circuit_breaker
from multitask.web.server import lane_rules
from multitask.web.server.lanes import Name

_current = threading.local()
_outside: set[str] = set()


def watch() -> None:
    """Begin to watch, until the process ends."""
    request_started.connect(_note_path)
    sys.addaudithook(_note_call)


def begin() -> None:
    """Forget what earlier tests did."""
    _current.path = None
    _outside.clear()


def outside() -> list[str]:
    """The paths of requests that called a provider, and whose lane is another one."""
    return sorted(_outside)


def _note_path(environ: dict[str, Any], **_: Any) -> None:
    _current.path = environ["PATH_INFO"]


def _note_call(event: str, _arguments: Any) -> None:
    """Python itself reports each HTTP request that is sent, in the thread that sends it."""
    if event != "http.client.send" or not circuit_breaker.is_from_request():
        return
    path = getattr(_current, "path", None)
    if path is not None and lane_rules.lane_of(path) is not Name.PROVIDER:
        _outside.add(path)
