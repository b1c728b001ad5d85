"""Routes of the hosted pages."""

from __future__ import annotations

from aiohttp import web

from sandboxes.paymob.pages.checkout import Checkout
from sandboxes.paymob.sandbox import Sandbox


def routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """Return the routes of all hosted pages."""
    return [*Checkout(sandbox).routes(), web.get("/favicon.ico", _icon)]


async def _icon(_request: web.Request) -> web.StreamResponse:
    """Browsers ask for an icon whatever a page says; there is none."""
    return web.Response(status=204)
