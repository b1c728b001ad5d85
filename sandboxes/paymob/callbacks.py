"""Callbacks: written in the transaction of the change, and sent once to the address that is responsible for it.

Each is a document of the kind `event` with the body as it will be sent, whatever changes until then.
"""

from __future__ import annotations

import hashlib

from sandboxes.kit import outbox
from sandboxes.kit.documents import Doc
from sandboxes.paymob import signatures
from sandboxes.paymob.sandbox import MERCHANT, Sandbox

TRANSACTION, TOKEN, PAYOUT = "TRANSACTION", "TOKEN", "PAYOUT"


def of_transaction(sandbox: Sandbox, obj: Doc, url: str | None) -> None:
    """Send a transaction's present state to the address of its order, or to the merchant's."""
    body = {"type": TRANSACTION, "obj": obj, "issuer_bank": None, "transaction_processed_callback_responses": ""}
    signature = signatures.of_transaction(obj, sandbox.settings.hmac_secret)
    _send(sandbox, TRANSACTION, body, url or sandbox.settings.callback_url, signature)


def of_card_token(sandbox: Sandbox, obj: Doc, url: str | None) -> None:
    """Send a saved card."""
    signature = signatures.of_card_token(obj, sandbox.settings.hmac_secret)
    _send(sandbox, TOKEN, {"type": TOKEN, "obj": obj}, url or sandbox.settings.callback_url, signature)


def of_payout(sandbox: Sandbox, body: Doc) -> None:
    """Send a payout's new state, which is not signed."""
    chosen = sandbox.store.meta("payout_callback_url")
    _send(sandbox, PAYOUT, body, chosen or sandbox.settings.payout_callback_url, None)


def _send(sandbox: Sandbox, kind: str, body: Doc, url: str | None, signature: str | None) -> None:
    event: Doc = {
        "id": sandbox.ids.new("callback_"),
        "object": "event",
        "type": kind,
        "created": sandbox.clock.now(),
        "body": body,
        "hmac": signature,
        "_endpoint": _endpoint(sandbox, url) if url else None,
    }
    sandbox.add(event, MERCHANT)
    if url:
        outbox.enqueue(sandbox, event["id"], event["_endpoint"])


def _endpoint(sandbox: Sandbox, url: str) -> str:
    """Return the id of an address, which the kit keeps as an object of its own."""
    ident = f"address_{hashlib.sha256(url.encode()).hexdigest()[:24]}"
    if sandbox.store.get(ident) is None:
        sandbox.keep({"id": ident, "object": "webhook_endpoint", "url": url, "status": "enabled"})
    return ident
