"""Snapshots: keep the whole state as it is, and go back to it as often as is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandboxes.stripe.control import Endpoint
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control

# Each is a copy of everything, in memory.
MOST = 100


async def keep(control: Control, _given: Doc) -> Doc:
    """Keep objects, money, keys, timers, deliveries, faults and the clock's offset; return the snapshot's name."""
    if len(control.snapshots) >= MOST:
        raise ValueError(f"there are {MOST} snapshots already: delete one")
    ident = str(next(control.numbers))
    control.snapshots[ident] = control.box.store.copied()
    return {"snapshot": ident}


async def restore(control: Control, _given: Doc, ident: str) -> Doc:
    """Make everything as it was. Webhooks that are on their way are cut, and ids are drawn again from there."""
    kept = control.snapshots.get(ident)
    if kept is None:
        raise _unknown(ident)
    await control.deliverer.forget()
    control.box.store.overwrite(kept)
    with control.box.store.transaction():
        control.box.open()
        # What kept them in their places was in the process, and is gone.
        control.box.store.db.execute("UPDATE deliveries SET held = 0")
    return {"ok": True, "now": control.box.clock.now()}


async def delete(control: Control, _given: Doc, ident: str) -> Doc:
    """Keep a snapshot no longer."""
    kept = control.snapshots.pop(ident, None)
    if kept is None:
        raise _unknown(ident)
    kept.close()
    return {"ok": True}


def _unknown(ident: str) -> ApiError:
    return ApiError(404, f"No such snapshot: '{ident}'")


ROUTES: list[Endpoint] = [
    ("POST", "/_sandbox/snapshots", keep),
    ("POST", "/_sandbox/snapshots/{ident}/restore", restore),
    ("DELETE", "/_sandbox/snapshots/{ident}", delete),
]
