"""Routes of the control API, and how it answers."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandboxes.stripe.box import Box
from sandboxes.stripe.control import Endpoint, clock, faults, happenings, money, snapshots, webhooks
from sandboxes.stripe.deliveries import Deliverer
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError
from sandboxes.stripe.faults import RuleRefused
from sandboxes.stripe.objects import beginning

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    """What the handlers of the control API share."""

    def __init__(self, box: Box, deliverer: Deliverer) -> None:
        self.box = box
        self.deliverer = deliverer
        self.snapshots: dict[str, sqlite3.Connection] = {}
        self.numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        table: list[Endpoint] = [
            ("GET", "/_sandbox/health", self._health),
            ("POST", "/_sandbox/reset", self._reset),
            *clock.ROUTES,
            *faults.ROUTES,
            *money.ROUTES,
            *snapshots.ROUTES,
            *webhooks.ROUTES,
            *happenings.ROUTES,
        ]
        return [web.route(method, path, self._wrapped(function)) for method, path, function in table]

    def _wrapped(self, function: Callable[..., Any]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                given = await _json(request)
                answer = await function(self, given, **request.match_info)
            except (ApiError, RuleRefused, ValueError, OverflowError, RecursionError) as error:
                status = error.status if isinstance(error, ApiError) else 400
                return web.json_response({"error": str(error)}, status=status)
            self.deliverer.wake()
            return web.json_response(answer)

        return handle

    async def _health(self, _control: Control, _given: Doc) -> Doc:
        return {"ok": True, "platform": self.box.platform, "seed": self.box.seed, "now": self.box.clock.now()}

    async def _reset(self, _control: Control, _given: Doc) -> Doc:
        """Forget everything and begin anew, as with an empty folder."""
        await self.deliverer.forget()
        with self.box.store.transaction():
            self.box.store.empty()
            self.box.open()
            beginning.prepare(self.box)
        return {"ok": True, "platform": self.box.platform}


async def _json(request: web.Request) -> Doc:
    if request.method in ("GET", "DELETE"):
        return dict(request.query)
    text = await request.text()
    given = json.loads(text) if text.strip() else {}
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given
