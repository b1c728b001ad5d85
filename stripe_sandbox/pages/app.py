"""Routes of the hosted pages."""

from __future__ import annotations

from aiohttp import web

from stripe_sandbox.box import Box
from stripe_sandbox.pages.elements import ElementPages
from stripe_sandbox.pages.onboarding import Onboarding
from stripe_sandbox.pages.payment import PaymentPages


class Pages:
    """All hosted pages of one sandbox."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        return [*Onboarding(self.box).routes(), *PaymentPages(self.box).routes(), *ElementPages().routes()]
