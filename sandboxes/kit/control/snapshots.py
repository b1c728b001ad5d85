"""Snapshots: keep a copy of the whole state, and go back to it as often as is wanted."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.sandbox import Sandbox

# Each is a copy of everything, in memory.
MOST = 100


async def create(control: Control[Sandbox], _given: Doc) -> Doc:
    """Keep objects, money, keys, timers, deliveries, faults and the clock's offset; return the snapshot's name."""
    if len(control.snapshots) >= MOST:
        raise ValueError(f"there are {MOST} snapshots already: delete one")
    ident = str(next(control.numbers))
    control.snapshots[ident] = control.sandbox.store.copied()
    return {"snapshot": ident}


async def restore(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Go back to a snapshot. Deliveries in progress are cancelled, and ids are drawn again from there."""
    kept = control.snapshots.get(ident)
    if kept is None:
        raise _unknown(ident)
    await control.deliverer.cancel()
    control.sandbox.restore(kept)
    return {"ok": True, "now": control.sandbox.clock.now()}


async def delete(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Delete a snapshot."""
    kept = control.snapshots.pop(ident, None)
    if kept is None:
        raise _unknown(ident)
    kept.close()
    return {"ok": True}


def _unknown(ident: str) -> ApiError:
    return ApiError(404, f"No such snapshot: '{ident}'")


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/snapshots", create),
    Endpoint("POST", "/_sandbox/snapshots/{ident}/restore", restore),
    Endpoint("DELETE", "/_sandbox/snapshots/{ident}", delete),
)
