"""Endpoints: a method and a path, the parameters, and the function that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Param

Endpoint = Callable[..., Doc]


@dataclass(frozen=True)
class Route:
    """One endpoint. `publishable`: a key that browsers know may call it. `status` is that of a success."""

    method: str
    pattern: re.Pattern[str]
    params: dict[str, Param]
    endpoint: Endpoint
    publishable: bool
    status: int = 200

    def run(self, sandbox: Any, call: Call) -> Doc:
        """Call the endpoint with the ids of the path."""
        match = self.pattern.fullmatch(call.path)
        return self.endpoint(sandbox, call, **(match.groupdict() if match else {}))


def route(
    method: str, path: str, params: dict[str, Param] | None = None, *, publishable: bool = False, status: int = 200
) -> Callable[[Endpoint], Route]:
    """Make a function the endpoint at a path such as `/v1/things/{ident}`. The provider's table has to list it."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def make(function: Endpoint) -> Route:
        return Route(method, pattern, params or {}, function, publishable, status)

    return make


def match(routes: Iterable[Route], method: str, path: str) -> Route | None:
    """Return the endpoint for a method and a path, or None."""
    for candidate in routes:
        if candidate.method == method and candidate.pattern.fullmatch(path):
            return candidate
    return None
