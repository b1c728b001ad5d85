"""Webhooks: list deliveries, send events again, wait until everything is sent."""

from __future__ import annotations

from sandboxes.kit import outbox
from sandboxes.kit.control.endpoints import Control, Endpoint, seconds
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox


async def deliveries(control: Control[Sandbox], given: Doc) -> Doc:
    """Return the deliveries, all or those of `event`, with attempts and the last failure."""
    event = given.get("event")
    rows = control.sandbox.store.db.execute(
        "SELECT d.id, d.event, json_extract(docs.doc, '$.type') AS type, d.endpoint, d.status, d.attempts, d.due,"
        " d.note FROM deliveries d LEFT JOIN docs ON docs.id = d.event WHERE ? IS NULL OR d.event = ? ORDER BY d.id",
        (event, event),
    )
    return {"deliveries": [dict(row) for row in rows]}


async def drain(control: Control[Sandbox], given: Doc) -> Doc:
    """Wait until nothing is due or in progress, at most `seconds`."""
    return {"drained": await control.deliverer.drain(seconds(given, "seconds", 30))}


async def resend(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Send an event again to every endpoint that wants it."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        event = sandbox.find("event", ident)
        wanted = control.deliverer.outbox.webhooks.listeners(event)
        for endpoint in wanted:
            outbox.enqueue(sandbox, ident, endpoint["id"])
    return {"resent": len(wanted)}


async def resend_all(control: Control[Sandbox], given: Doc) -> Doc:
    """Send every delivery again that was lost, failed or dropped."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        count = sandbox.store.db.execute(
            "UPDATE deliveries SET status = 'pending', due = ?, attempts = 1"
            " WHERE status IN ('lost', 'failed', 'dropped')",
            (sandbox.clock.exact(),),
        ).rowcount
    return {"resent": count}


ENDPOINTS = (
    Endpoint("GET", "/_sandbox/webhooks", deliveries),
    Endpoint("POST", "/_sandbox/webhooks/drain", drain),
    Endpoint("POST", "/_sandbox/webhooks/resend", resend_all),
    Endpoint("POST", "/_sandbox/events/{ident}/resend", resend),
)
