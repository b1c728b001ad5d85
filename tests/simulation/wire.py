"""The network between us and the provider: the SDK's HTTP session, which goes nowhere and loses what the seed draws."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sandboxes.kit.pipeline import Reply

# Whoever plays a story carries its requests.
Carrier = Callable[[str, str, Mapping[str, str], bytes, float], Reply]
_carrier: Carrier | None = None


class Lost(Exception):
    """No answer arrives."""


def carry(carrier: Carrier | None) -> None:
    """Let `carrier` bring every request of the SDK to the provider. It raises Lost when no answer comes back."""
    global _carrier
    _carrier = carrier


class _Wire(BaseAdapter):
    """Hands requests over inside the process."""

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, *_: Any, **__: Any
    ) -> requests.Response:
        assert _carrier is not None, "a call outside a story"
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        try:
            reply = _carrier(str(request.method), str(request.url), request.headers, body, timeout[1])
        except Lost as error:
            raise requests.ConnectionError(str(error)) from error
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.raw = io.BytesIO(reply.body)
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        """Nothing is open."""


def session() -> requests.Session:
    """Make the session that the settings name."""
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", _Wire())
    return made
