"""The offline Paymob as one application: its API, callbacks, hosted pages and control calls."""

from __future__ import annotations

from aiohttp import web

from sandboxes.kit import server
from sandboxes.paymob.api import PaymobApi
from sandboxes.paymob.control import collecting, money, paying_out
from sandboxes.paymob.pages import routes
from sandboxes.paymob.registry import BEHAVIOUR
from sandboxes.paymob.sandbox import Sandbox
from sandboxes.paymob.settings import Settings
from sandboxes.paymob.webhooks import PaymobWebhooks


def build(settings: Settings) -> web.Application:
    """Open the state and return the application."""
    sandbox = Sandbox(settings, BEHAVIOUR)
    return server.application(
        PaymobApi(sandbox),
        PaymobWebhooks(sandbox),
        webhook_timeout=settings.webhook_timeout,
        pages=routes.routes(sandbox),
        control=(*money.ENDPOINTS, *collecting.ENDPOINTS, *paying_out.ENDPOINTS),
    )
