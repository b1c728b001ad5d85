"""The HTTP client under the SDK: timeouts, and a last look at the clock before a request leaves."""

from typing import Any

import requests
import stripe
from django.utils.module_loading import import_string
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from multitask.payments import sending

POOL_SIZE = 64


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        """Send bytes unless the call is late; connecting may have taken long, so it comes first."""
        if self.sock is None:
            self.connect()
        sending.check()
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        """Send bytes unless the call is late; connecting may have taken long, so it comes first."""
        if self.sock is None:
            self.connect()
        sending.check()
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


def make_client(*, connect_seconds: float, read_seconds: float, session: str = "") -> stripe.HTTPClient:
    """Make a client whose calls are given up after these timeouts, and not sent once `sending` forbids it.

    `session` is the path of a function that makes another session than the one on the network.
    """
    made = import_string(session)() if session else _session()
    return stripe.RequestsClient(timeout=(connect_seconds, read_seconds), session=made)


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=POOL_SIZE))
    return session
