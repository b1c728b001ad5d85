"""Webhooks: what was delivered, send an event again, wait until all is sent, roll a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandboxes.stripe import events
from sandboxes.stripe.control import Endpoint, seconds
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.objects import webhook_endpoint

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control


async def deliveries(control: Control, given: Doc) -> Doc:
    """Return the deliveries, all or those of `event`, with attempts and the last failure."""
    event = given.get("event")
    rows = control.box.store.db.execute(
        "SELECT d.id, d.event, json_extract(docs.doc, '$.type') AS type, d.endpoint, d.status, d.attempts, d.due,"
        " d.note FROM deliveries d LEFT JOIN docs ON docs.id = d.event WHERE ? IS NULL OR d.event = ? ORDER BY d.id",
        (event, event),
    )
    return {"deliveries": [dict(row) for row in rows]}


async def drain(control: Control, given: Doc) -> Doc:
    """Wait until nothing is due or on its way, at most `seconds`."""
    return {"drained": await control.deliverer.drain(seconds(given, "seconds", 30))}


async def resend(control: Control, _given: Doc, ident: str) -> Doc:
    """Send an event again to every endpoint that wants it."""
    box = control.box
    with box.store.transaction():
        event = box.find("event", ident)
        owner = box.store.account_of(ident)
        wanted = events.listeners(box, owner, event["type"])
        for endpoint in wanted:
            events.enqueue(box, ident, endpoint["id"])
    return {"resent": len(wanted)}


async def resend_all(control: Control, given: Doc) -> Doc:
    """Send again what was lost, failed or dropped: everything that did not succeed and is not pending."""
    box = control.box
    with box.store.transaction():
        count = box.store.db.execute(
            "UPDATE deliveries SET status = 'pending', due = ?, attempts = 1"
            " WHERE status IN ('lost', 'failed', 'dropped')",
            (box.clock.exact(),),
        ).rowcount
    return {"resent": count}


async def roll(control: Control, given: Doc, ident: str) -> Doc:
    """Give an endpoint a new secret; the old one signs too for `keep_seconds`, at most a day."""
    box = control.box
    with box.store.transaction():
        endpoint = box.find("webhook_endpoint", ident)
        return {"id": ident, "secret": webhook_endpoint.roll(box, endpoint, seconds(given, "keep_seconds", 86_400))}


ROUTES: list[Endpoint] = [
    ("GET", "/_sandbox/webhooks", deliveries),
    ("POST", "/_sandbox/webhooks/drain", drain),
    ("POST", "/_sandbox/webhooks/resend", resend_all),
    ("POST", "/_sandbox/events/{ident}/resend", resend),
    ("POST", "/_sandbox/webhook_endpoints/{ident}/roll", roll),
]
