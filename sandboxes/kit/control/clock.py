"""The virtual clock: read it, move it forward."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint, seconds
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox

WAIT_SECONDS = 30.0
LONGEST = 400 * 86_400


async def read(control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the virtual moment and how far it is ahead."""
    clock = control.sandbox.clock
    return {"now": clock.now(), "offset": clock.offset}


async def advance(control: Control[Sandbox], given: Doc) -> Doc:
    """Move forward by `seconds`, run the timers that fall due, and wait for the webhooks unless `wait` is false."""
    with control.sandbox.store.transaction():
        control.sandbox.clock.advance(seconds(given, "seconds", -1, most=LONGEST))
    control.sandbox.run_due()
    drained = await control.deliverer.drain(WAIT_SECONDS) if given.get("wait", True) else None
    return {**await read(control, given), "webhooks_drained": drained}


ENDPOINTS = (Endpoint("GET", "/_sandbox/clock", read), Endpoint("POST", "/_sandbox/clock", advance))
