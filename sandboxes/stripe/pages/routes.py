"""Routes of the hosted pages."""

from __future__ import annotations

from aiohttp import web

from sandboxes.stripe.pages.dashboard import Dashboard
from sandboxes.stripe.pages.elements import ElementPages
from sandboxes.stripe.pages.onboarding import Onboarding
from sandboxes.stripe.pages.payment import PaymentPages
from sandboxes.stripe.sandbox import Sandbox


def routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """Return the routes of all hosted pages."""
    hosted = [*Onboarding(sandbox).routes(), *Dashboard(sandbox).routes()]
    return [*hosted, *PaymentPages(sandbox).routes(), *ElementPages().routes(), web.get("/favicon.ico", _icon)]


async def _icon(_request: web.Request) -> web.StreamResponse:
    """Browsers ask for an icon whatever a page says; there is none."""
    return web.Response(status=204)
