"""Events signed as Stripe signs them, posted to the address that Stripe posts to."""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.contract.rigs import StripeRig, stripe_rig

if TYPE_CHECKING:
    from tests.integration.webhooks.world import World

PLATFORM_SECRET = "whsec_platform_of_these_tests"
CONNECT_SECRET = "whsec_connect_of_these_tests"
URL = "/payments/webhooks/stripe/"

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def secrets(settings: Settings) -> None:
    """The secrets of the two endpoints, and an address where nobody listens."""
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    settings.STRIPE_WEBHOOK_SECRET = PLATFORM_SECRET
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT_SECRET
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"


def make_event(kind: str = "payment_intent.succeeded", *, account: str = "", **changed: Any) -> dict[str, Any]:
    """An event as Stripe makes it, about the object `changed`."""
    event: dict[str, Any] = {
        "id": f"evt_{next(_numbers)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": {"id": "pi_1", **changed}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return {**event, "account": account} if account else event


def sign(body: bytes, secret: str = PLATFORM_SECRET) -> str:
    """The Stripe-Signature header of now."""
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


Post = Callable[..., Any]


@pytest.fixture
def post(client: Client) -> Post:
    """Post an event, a dict or raw bytes, signed unless a signature is given."""

    def send(event: dict[str, Any] | bytes, *, secret: str = PLATFORM_SECRET, signature: str | None = None) -> Any:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        header = sign(body, secret) if signature is None else signature
        return client.post(URL, body, content_type="application/json", headers={"Stripe-Signature": header})

    return send


@pytest.fixture(scope="session")
def sandbox() -> Iterator[StripeRig]:
    """One sandbox for all these tests; each looks at its own objects only."""
    with stripe_rig() as rig:
        yield rig


@pytest.fixture
def rig(sandbox: StripeRig, settings: Settings) -> Iterator[StripeRig]:
    """The sandbox as the provider of the settings, without faults."""
    settings.STRIPE_SECRET_KEY = "sk_test_contract"
    settings.STRIPE_API_BASE = sandbox.base_url
    yield sandbox
    sandbox.heal()


@pytest.fixture
def world(rig: StripeRig) -> "World":
    """Two people, and no news yet."""
    # Imported here, as the people of the world sign their events with what stands above.
    from tests.integration.webhooks.world import World

    made = World(rig)
    made.news()
    return made
