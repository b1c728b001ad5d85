"""The HTTP client under the SDK: timeouts, and a deadline check before a request is sent."""

from typing import Any

import stripe
from django.utils.module_loading import import_string

from multitask.providers import http


class _Client(stripe.RequestsClient):
    """Cancels a call whose complete response does not arrive in time."""

    def __init__(self, *, connect_seconds: float, read_seconds: float) -> None:
        super().__init__(timeout=(connect_seconds, read_seconds), session=http.session())
        self._longest = connect_seconds + read_seconds

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Make one call; raises the SDK's error for a connection that failed when it is cut."""
        with http.TimedCall(self._longest):
            return super().request(*arguments, **options)


def make_client(*, connect_seconds: float, read_seconds: float, session: str = "") -> stripe.HTTPClient:
    """Return a client whose calls end after these timeouts and are not sent after `send_deadline`.

    `session` is the path of a function that makes another session than the one on the network.
    """
    if session:
        return stripe.RequestsClient(timeout=(connect_seconds, read_seconds), session=import_string(session)())
    return _Client(connect_seconds=connect_seconds, read_seconds=read_seconds)
