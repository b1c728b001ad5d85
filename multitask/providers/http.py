"""HTTP sessions for calls to providers: a limit for the whole call, and a deadline check before bytes are sent."""

import socket
import threading
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from multitask.payments.operations import send_deadline

POOL_SIZE = 64


class TimedCall:
    """A running call, which is cut if it takes too long in total.

    The library's timeout applies to each read, so a response that arrives byte by byte would never time out.
    """

    def __init__(self, seconds: float) -> None:
        self.socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._has_ended = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        _thread.call = self
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._has_ended = True
        self._timer.cancel()
        _thread.call = None

    def _cut(self) -> None:
        """Close the connection of a running call; a call that has ended has returned it to the pool."""
        with self._lock, suppress(OSError):
            if not self._has_ended and self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)


_thread = threading.local()


def _before_sending(connection: HTTPConnection) -> None:
    """Connect, which may take long, and then check whether the call may still be sent."""
    if connection.sock is None:
        connection.connect()
    send_deadline.check()
    call: TimedCall | None = getattr(_thread, "call", None)
    if call is not None:
        # Not the connection: it forgets its socket when the answer will be the last on it.
        call.socket = connection.sock


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        """Send bytes unless the call is late."""
        _before_sending(self)
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        """Send bytes unless the call is late."""
        _before_sending(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make connections that check before they send."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def session() -> requests.Session:
    """Return a session whose calls are not sent after `send_deadline`; make each within a `TimedCall`."""
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=POOL_SIZE))
    return made
