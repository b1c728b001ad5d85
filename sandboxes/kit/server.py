"""The server: one process, one event loop, for the API, the control API and the hosted pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from aiohttp import web

from sandboxes.kit.api import Api
from sandboxes.kit.control import routes
from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.deliveries import Deliverer
from sandboxes.kit.http import MAX_UPLOAD, ApiHandler
from sandboxes.kit.outbox import Webhooks
from sandboxes.kit.pipeline import Pipeline
from sandboxes.kit.sandbox import Sandbox

log = logging.getLogger("sandboxes")
TICK_SECONDS = 0.2


def application(
    api: Api,
    webhooks: Webhooks,
    *,
    webhook_timeout: float,
    pages: Iterable[web.RouteDef] = (),
    control: Iterable[Endpoint] = (),
) -> web.Application:
    """Return the application of a provider: its API and webhooks, its hosted pages, its own calls of the control API.

    `webhook_timeout` is how many seconds a receiver of webhooks may take to answer.
    """
    sandbox = api.sandbox
    deliverer = Deliverer(sandbox, webhooks, timeout=webhook_timeout)
    app = web.Application(client_max_size=MAX_UPLOAD)
    app.add_routes(routes.routes(Control(sandbox, deliverer), control))
    app.add_routes(pages)
    handler = ApiHandler(Pipeline(api))
    for path in api.paths:
        app.router.add_route("*", path, handler.handle)

    async def running(_app: web.Application) -> AsyncIterator[None]:
        sandbox.wake = deliverer.wake
        await deliverer.start()
        ticking = asyncio.create_task(_tick(sandbox))
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await deliverer.stop()
        sandbox.store.close()

    app.cleanup_ctx.append(running)
    return app


async def _tick(sandbox: Sandbox) -> None:
    """Run the timers that fall due as real time passes."""
    while True:
        try:
            due = sandbox.clock.next_due()
            if due is not None and due <= sandbox.clock.exact():
                sandbox.run_due()
        except Exception:
            log.exception("a timer failed")
        await asyncio.sleep(TICK_SECONDS)
