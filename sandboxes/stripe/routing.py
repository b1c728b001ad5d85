"""The table of endpoints: method and path to a function with its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.params import Param

Endpoint = Callable[..., Doc]


@dataclass(frozen=True)
class Route:
    """One endpoint. `publishable`: a publishable key may call it."""

    method: str
    pattern: re.Pattern[str]
    params: dict[str, Param]
    endpoint: Endpoint
    publishable: bool

    def run(self, box: Box, call: Call) -> Doc:
        """Call the endpoint with the ids of the path."""
        match = self.pattern.fullmatch(call.path)
        return self.endpoint(box, call, **(match.groupdict() if match else {}))


ROUTES: list[Route] = []


def route(
    method: str, path: str, params: dict[str, Param] | None = None, *, publishable: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint at `/v1/things/{name}`."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(function: Endpoint) -> Endpoint:
        ROUTES.append(Route(method, pattern, params or {}, function, publishable))
        return function

    return register


def match(method: str, path: str) -> Route | None:
    """Return the endpoint for a method and a path, or None."""
    for candidate in ROUTES:
        if candidate.method == method and candidate.pattern.fullmatch(path):
            return candidate
    return None
