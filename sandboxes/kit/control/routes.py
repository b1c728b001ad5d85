"""The table of the control API, and how its calls are answered over HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from sandboxes.kit.control import clock, faults, journal, state, webhooks
from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.Response]]

ENDPOINTS = (
    *state.ENDPOINTS,
    *clock.ENDPOINTS,
    *faults.ENDPOINTS,
    *journal.ENDPOINTS,
    *webhooks.ENDPOINTS,
)


def routes(control: Control[Any], more: Iterable[Endpoint]) -> list[web.RouteDef]:
    """Return the routes of the control API, with a provider's own endpoints after those of every sandbox."""
    return [web.route(entry.method, entry.path, _handler(control, entry)) for entry in (*ENDPOINTS, *more)]


def _handler(control: Control[Any], endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            given = await _json(request)
            answer = await endpoint.function(control, given, **request.match_info)
        except (ApiError, ValueError, OverflowError, RecursionError) as error:
            status = error.status if isinstance(error, ApiError) else 400
            return web.json_response({"error": str(error)}, status=status)
        control.deliverer.wake()
        return web.json_response(answer)

    return handle


async def _json(request: web.Request) -> Doc:
    if request.method in ("GET", "DELETE"):
        return dict(request.query)
    text = await request.text()
    given = json.loads(text) if text.strip() else {}
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given
