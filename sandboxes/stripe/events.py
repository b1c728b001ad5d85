"""Events: written in the transaction of the change, with a delivery for each endpoint that wants them."""

from __future__ import annotations

from sandboxes.kit import outbox
from sandboxes.kit.documents import Doc, changes
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import API_VERSION

KEPT_SECONDS = 30 * 86_400


def emit(sandbox: Sandbox, kind: str, doc: Doc, *, account: str | None = None, before: Doc | None = None) -> Doc:
    """Write an event about an object; `before` is its earlier rendering, for previous_attributes."""
    owner = account or sandbox.store.account_of(doc["id"])
    shown = sandbox.render(doc)
    call = sandbox.call
    event: Doc = {
        "id": sandbox.ids.new("evt_1"),
        "object": "event",
        "account": None if owner == sandbox.platform else owner,
        "api_version": API_VERSION,
        "context": None,
        "created": sandbox.clock.now(),
        "data": {"object": shown, "previous_attributes": changes(before, shown) if before is not None else None},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {
            "id": call.request_id if call else None,
            "idempotency_key": call.idempotency_key if call else None,
        },
        "type": kind,
    }
    sandbox.add(event, owner, parent=doc.get("id"))
    for endpoint in listeners(sandbox, owner, kind):
        outbox.enqueue(sandbox, event["id"], endpoint["id"])
    return event


def listeners(sandbox: Sandbox, owner: str, kind: str) -> list[Doc]:
    """Return the enabled endpoints that want an event of this account: its own, or the platform's Connect ones."""
    found = []
    account = sandbox.store.get(owner, "account")
    revoked = account is not None and account.get("_deauthorized")
    for endpoint in sandbox.store.find("webhook_endpoint"):
        holder = sandbox.store.account_of(endpoint["id"])
        connected = owner != sandbox.platform and endpoint["_connect"] and holder == sandbox.platform and not revoked
        own = holder == owner and not endpoint["_connect"]
        wanted = "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]
        if endpoint["status"] == "enabled" and wanted and (own or connected):
            found.append(endpoint)
    return found


def render(sandbox: Sandbox, event: Doc) -> Doc:
    """Return the event with the number of its deliveries that have not ended."""
    event["pending_webhooks"] = outbox.pending(sandbox, event["id"])
    return event
