"""Webhook events about real payments at the sandbox, with Stripe's signature."""

import hashlib
import hmac
import json
import secrets
import time
import urllib.request
from typing import Any

from bench import client, people
from bench.servers import Servers

WEBHOOKS = "/payments/webhooks/stripe/"


def payments(up: Servers, number: int) -> list[dict[str, Any]]:
    """Create payments through the API; return them as the sandbox has them."""
    web = client.Connection(up.here.web)
    payer, worker = people.register(web, client=True), people.register(web, freelancer=True)
    intents = [people.intend(web, payer, worker) for _ in range(number)]
    web.close()
    return [at_provider(up, intent["payment_intent_id"]) for intent in intents]


def at_provider(up: Servers, payment_id: str) -> dict[str, Any]:
    """Return a payment as the sandbox has it."""
    headers = {"Authorization": f"Bearer {up.here.keys['STRIPE_SECRET_KEY']}"}
    asked = urllib.request.Request(f"{up.here.sandbox}/v1/payment_intents/{payment_id}", headers=headers)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return dict(json.load(answer))


def make(payment: dict[str, Any]) -> tuple[str, bytes]:
    """Return the id and the body of a new event about a payment."""
    event = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": payment},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.created",
    }
    return str(event["id"]), json.dumps(event, indent=2).encode()


def delivery(up: Servers, body: bytes) -> bytes:
    """Return the request that delivers an event, signed now."""
    stamp = str(int(time.time()))
    secret = up.here.keys["STRIPE_WEBHOOK_SECRET"].encode()
    digest = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return client.request("POST", WEBHOOKS, body=body, headers={"Stripe-Signature": f"t={stamp},v1={digest}"})
