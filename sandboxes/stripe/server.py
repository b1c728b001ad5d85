"""The offline Stripe as one application: its API, webhooks, hosted pages and control calls."""

from __future__ import annotations

from aiohttp import web

from sandboxes.kit import server
from sandboxes.stripe.api import StripeApi
from sandboxes.stripe.control import lines, money, outcomes, settlement
from sandboxes.stripe.pages import routes
from sandboxes.stripe.registry import BEHAVIOUR
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import Settings
from sandboxes.stripe.webhooks import StripeWebhooks


def build(settings: Settings) -> web.Application:
    """Open the state and return the application."""
    sandbox = Sandbox(settings, BEHAVIOUR)
    return server.application(
        StripeApi(sandbox),
        StripeWebhooks(sandbox),
        webhook_timeout=settings.webhook_timeout,
        pages=routes.routes(sandbox),
        control=(*money.ENDPOINTS, *outcomes.ENDPOINTS, *lines.ENDPOINTS, *settlement.ENDPOINTS),
    )
