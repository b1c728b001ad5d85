"""Callbacks as Paymob sends them: a JSON body, and the signature as a parameter of the address."""

from __future__ import annotations

import json

from sandboxes.kit.documents import Doc
from sandboxes.kit.outbox import Message
from sandboxes.paymob.sandbox import Sandbox


class PaymobWebhooks:
    """The callbacks of one offline Paymob."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def listeners(self, event: Doc) -> list[Doc]:
        """Return the address that a callback belongs to, if it has one."""
        endpoint = self._sandbox.store.get(event["_endpoint"] or "", "webhook_endpoint")
        return [endpoint] if endpoint else []

    def message(self, event: Doc, endpoint: Doc, moment: float | None) -> Message:
        """Write a callback; the signature contains no time, so `moment` makes no difference."""
        url = endpoint["url"]
        if event["hmac"]:
            url += f"{'&' if '?' in url else '?'}hmac={event['hmac']}"
        body = json.dumps(event["body"], ensure_ascii=False).encode()
        return Message(url, body, {"Content-Type": "application/json", "User-Agent": "Paymob (offline sandbox)"})
