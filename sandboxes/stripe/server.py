"""The server: one process, one event loop, API, control and pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

import sandboxes.stripe.resources  # noqa: F401  the endpoints register themselves
from sandboxes.stripe.box import Box
from sandboxes.stripe.control.app import Control
from sandboxes.stripe.deliveries import Deliverer
from sandboxes.stripe.objects import beginning
from sandboxes.stripe.pages.app import Pages
from sandboxes.stripe.pipeline import Pipeline
from sandboxes.stripe.settings import Settings
from sandboxes.stripe.wire import Wire

log = logging.getLogger("sandboxes.stripe")
MAX_BODY = 1024 * 1024
TICK_SECONDS = 0.2


def build(settings: Settings) -> web.Application:
    """Open the state and return the application."""
    box = Box(settings)
    with box.store.transaction():
        beginning.prepare(box)
    deliverer = Deliverer(box)
    app = web.Application(client_max_size=MAX_BODY)
    wire = Wire(Pipeline(box))
    app.add_routes(Control(box, deliverer).routes())
    app.add_routes(Pages(box).routes())
    for version in ("v1", "v2"):
        app.router.add_route("*", f"/{version}/{{tail:.*}}", wire.handle)

    async def running(_app: web.Application) -> AsyncIterator[None]:
        box.wake = deliverer.wake
        await deliverer.start()
        ticking = asyncio.create_task(_tick(box))
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await deliverer.stop()
        box.store.close()

    app.cleanup_ctx.append(running)
    return app


async def _tick(box: Box) -> None:
    """Fire what falls due in real time."""
    while True:
        try:
            due = box.clock.next_due()
            if due is not None and due <= box.clock.exact():
                box.run_due()
        except Exception:
            log.exception("a timer failed")
        await asyncio.sleep(TICK_SECONDS)
