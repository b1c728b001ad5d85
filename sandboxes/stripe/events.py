"""Events: written in the transaction of what they tell, with a delivery for each endpoint that wants them."""

from __future__ import annotations

from sandboxes.stripe.box import Box, renders
from sandboxes.stripe.documents import Doc, changes
from sandboxes.stripe.settings import API_VERSION

KEPT_SECONDS = 30 * 86_400


def emit(box: Box, kind: str, doc: Doc, *, account: str | None = None, before: Doc | None = None) -> Doc:
    """Write an event about an object; `before` is its earlier rendering, for previous_attributes."""
    owner = account or box.store.account_of(doc["id"])
    shown = box.render(doc)
    call = box.call
    event: Doc = {
        "id": box.ids.new("evt_1"),
        "object": "event",
        "account": None if owner == box.platform else owner,
        "api_version": API_VERSION,
        "context": None,
        "created": box.clock.now(),
        "data": {"object": shown, "previous_attributes": changes(before, shown) if before is not None else None},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {
            "id": call.request_id if call else None,
            "idempotency_key": call.idempotency_key if call else None,
        },
        "type": kind,
    }
    box.add(event, owner, parent=doc.get("id"))
    for endpoint in listeners(box, owner, kind):
        enqueue(box, event["id"], endpoint["id"])
    return event


def listeners(box: Box, owner: str, kind: str) -> list[Doc]:
    """Return the enabled endpoints that want an event of this account: its own, or the platform's Connect ones."""
    found = []
    for endpoint in box.store.find("webhook_endpoint"):
        holder = box.store.account_of(endpoint["id"])
        connected = owner != box.platform and endpoint["_connect"] and holder == box.platform
        own = holder == owner and not endpoint["_connect"]
        wanted = "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]
        if endpoint["status"] == "enabled" and wanted and (own or connected):
            found.append(endpoint)
    return found


def enqueue(box: Box, event: str, endpoint: str) -> None:
    """Put a delivery on its way; it is made once the transaction is committed."""
    box.store.db.execute(
        "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)", (event, endpoint, box.clock.exact())
    )


@renders("event")
def _with_pending(box: Box, event: Doc) -> Doc:
    row = box.store.db.execute(
        "SELECT count(*) AS pending FROM deliveries WHERE event = ? AND status = 'pending'", (event["id"],)
    ).fetchone()
    event["pending_webhooks"] = row["pending"]
    return event
