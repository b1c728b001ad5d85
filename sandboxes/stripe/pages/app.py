"""Routes of the hosted pages."""

from __future__ import annotations

from aiohttp import web

from sandboxes.stripe.box import Box
from sandboxes.stripe.pages.elements import ElementPages
from sandboxes.stripe.pages.onboarding import Onboarding
from sandboxes.stripe.pages.payment import PaymentPages


class Pages:
    """All hosted pages of one sandbox."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        hosted = [*Onboarding(self.box).routes(), *PaymentPages(self.box).routes(), *ElementPages().routes()]
        return [*hosted, web.get("/favicon.ico", self.icon)]

    async def icon(self, _request: web.Request) -> web.StreamResponse:
        """Browsers ask for one whatever a page says; there is none."""
        return web.Response(status=204)
