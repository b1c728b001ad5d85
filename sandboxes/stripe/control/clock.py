"""The virtual clock: read it, move it forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandboxes.stripe.control import Endpoint, seconds
from sandboxes.stripe.documents import Doc

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control

WAIT_SECONDS = 30.0
LONGEST = 400 * 86_400


async def read(control: Control, _given: Doc) -> Doc:
    """Return the virtual moment and how far it is ahead."""
    clock = control.box.clock
    return {"now": clock.now(), "offset": clock.offset}


async def advance(control: Control, given: Doc) -> Doc:
    """Move forward by `seconds`, fire what falls due, and wait for the webhooks unless `wait` is false."""
    with control.box.store.transaction():
        control.box.clock.advance(seconds(given, "seconds", -1, most=LONGEST))
    control.box.run_due()
    drained = await control.deliverer.drain(WAIT_SECONDS) if given.get("wait", True) else None
    return {**await read(control, given), "webhooks_drained": drained}


ROUTES: list[Endpoint] = [("GET", "/_sandbox/clock", read), ("POST", "/_sandbox/clock", advance)]
