"""Routes of the hosted pages."""

from __future__ import annotations

from aiohttp import web

from stripe_sandbox.box import Box
from stripe_sandbox.pages.onboarding import Onboarding


class Pages:
    """All hosted pages of one sandbox."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        return [*Onboarding(self.box).routes()]
