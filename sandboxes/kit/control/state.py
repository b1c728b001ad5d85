"""The sandbox as a whole: is it ready, reset it, list its objects."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox


async def health(control: Control[Sandbox], _given: Doc) -> Doc:
    """Return that it is ready, its seed and its virtual time."""
    sandbox = control.sandbox
    return {"ok": True, **sandbox.identity(), "seed": sandbox.seed, "now": sandbox.clock.now()}


async def reset(control: Control[Sandbox], _given: Doc) -> Doc:
    """Delete all state and start as with an empty folder."""
    await control.deliverer.cancel()
    control.sandbox.reset()
    return {"ok": True, **control.sandbox.identity()}


async def objects(control: Control[Sandbox], _given: Doc, kind: str) -> Doc:
    """Return every object of a kind."""
    return {"data": every(control.sandbox, kind)}


def every(sandbox: Sandbox, kind: str) -> list[Doc]:
    """Return every object of a kind, whatever its account, as the API shows it: [{account, object}]."""
    with sandbox.store.transaction():
        found = sandbox.store.find(kind)
        return [{"account": sandbox.store.account_of(doc["id"]), "object": sandbox.render(doc)} for doc in found]


ENDPOINTS = (
    Endpoint("GET", "/_sandbox/health", health),
    Endpoint("POST", "/_sandbox/reset", reset),
    Endpoint("GET", "/_sandbox/objects/{kind}", objects),
)
