"""What a provider decides about the requests to its API; `Pipeline` does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sandboxes.kit import params
from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.routing import Route
from sandboxes.kit.sandbox import Sandbox


@dataclass(frozen=True)
class Request:
    """A request as it came. `headers` finds names in any case.

    `content_type` is without its parameters, and empty if the caller gave none.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    remote: str | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a request. `replayed`: it was stored under the request's idempotency key."""

    status: int
    body: str
    request_id: str
    replayed: bool = False


class Api(ABC):
    """One provider's API. `paths` are the patterns of the addresses that it answers, as aiohttp writes them."""

    routes: Sequence[Route] = ()
    paths: Sequence[str] = ()
    # Headers of the answer to a browser's preflight request.
    preflight: Mapping[str, str] = MappingProxyType({})

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    @abstractmethod
    def new_request_id(self) -> str:
        """Return an id for a request."""

    @abstractmethod
    def read(self, request: Request, request_id: str) -> Call:
        """Return the request with its caller and its parameters. Raises ApiError."""

    @abstractmethod
    def error_body(self, error: ApiError, request_id: str) -> Doc:
        """Return the body of an answer that is not a success."""

    @abstractmethod
    def headers(self, request: Request, answer: Answer, request_id: str) -> dict[str, str]:
        """Return the headers of an answer."""

    def result(self, call: Call, route: Route) -> Doc:
        """Run an endpoint and return the body of its answer. Raises ApiError."""
        call.params = params.read(route.params, call.params)
        return self.sandbox.render(route.run(self.sandbox, call))

    def unknown_path(self, call: Call) -> ApiError:
        """Return the error for a path that has no endpoint."""
        return ApiError(404, f"There is nothing at {call.method} {call.path}.", saved=False)

    def needs_secret_key(self) -> ApiError:
        """Return the error for a publishable key at an endpoint that needs a secret one."""
        return ApiError(403, "This call needs a secret key.", saved=False)

    def rate_limited(self, call: Call) -> ApiError:
        """Return the error with which the fault `rate_limit` answers a call."""
        return ApiError(429, "Too many requests.", saved=False)

    def broken(self) -> ApiError:
        """Return the error for a failure inside the provider."""
        return ApiError(500, "Something went wrong on the server's side. Retry later.", kind="api_error")

    # A provider without idempotency keys inherits these three, and its calls have no key.

    def claim(self, call: Call) -> Answer | None:
        """Claim the call's idempotency key, or return the answer that is stored under it. Raises ApiError."""
        return None

    def release(self, call: Call) -> None:
        """Release the call's idempotency key: no request is in progress under it any more."""
        return

    def keep(self, call: Call, answer: Answer) -> None:
        """Store the answer under the call's idempotency key, in the caller's transaction."""
        return
