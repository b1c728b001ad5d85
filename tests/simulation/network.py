"""The simulated network to the provider: an HTTP session for the SDK that loses what the seed draws."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sandboxes.kit.pipeline import Reply

# The running story carries its requests.
Carrier = Callable[[str, str, Mapping[str, str], bytes, float], Reply]
_carrier: Carrier | None = None


class Lost(Exception):
    """The response is lost."""


def carry(carrier: Carrier | None) -> None:
    """Pass every request of the SDK to `carrier`, which raises Lost if the response is lost."""
    global _carrier
    _carrier = carrier


class _Adapter(BaseAdapter):
    """Passes requests on inside the process."""

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
        """Do nothing: no connection is open."""


def session() -> requests.Session:
    """Return the session that the settings name."""
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", _Adapter())
    return made
