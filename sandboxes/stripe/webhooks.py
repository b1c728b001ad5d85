"""Webhooks as Stripe sends them: which endpoints want an event, and how it is written and signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from sandboxes.kit.documents import Doc
from sandboxes.kit.outbox import Message
from sandboxes.stripe import events
from sandboxes.stripe.sandbox import Sandbox


def signature(body: bytes, secrets: list[str], moment: int) -> str:
    """Return the Stripe-Signature header: one v1 for each secret that is in force."""
    signed = b"%d." % moment + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])


class StripeWebhooks:
    """The webhooks of one offline Stripe."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def listeners(self, event: Doc) -> list[Doc]:
        """Return the enabled endpoints that want an event."""
        return events.listeners(self._sandbox, self._sandbox.store.account_of(event["id"]), event["type"])

    def message(self, event: Doc, endpoint: Doc, moment: float | None) -> Message:
        """Write and sign an event for an endpoint, at a real moment or now."""
        body = json.dumps(self._sandbox.render(event), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (offline sandbox)",
            # The receiver checks the age of the signature against real time, so the virtual clock is not used.
            "Stripe-Signature": signature(body, self._secrets(endpoint), int(moment or time.time())),
        }
        return Message(endpoint["url"], body, headers)

    def _secrets(self, endpoint: Doc) -> list[str]:
        now = self._sandbox.clock.exact()
        older = [old["secret"] for old in endpoint["_old_secrets"] if old["until"] > now]
        return [endpoint["_secret"], *older]
