"""The sandbox itself posts its events to our server, signed with the secrets of two endpoints."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.contract.rigs import StripeRig
from tests.integration.webhooks.conftest import URL
from tests.integration.webhooks.world import World


@pytest.mark.django_db(transaction=True)
def test_what_the_sandbox_sends_is_believed(rig: StripeRig, live_server: LiveServer, settings: Settings) -> None:
    address = f"{live_server.url}{URL}"
    settings.STRIPE_WEBHOOK_SECRET = rig.post("webhook_endpoints", {"url": address, "enabled_events[0]": "*"})["secret"]
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = rig.post(
        "webhook_endpoints", {"url": address, "enabled_events[0]": "*", "connect": "true"}
    )["secret"]
    world = World(rig)
    payment = world.payment()

    world.pay(payment)
    account = world.account()
    rig.onboard(
        rig.provider.create_onboarding_link(
            account_id=str(account.provider_account_id),
            refresh_url="http://127.0.0.1/a",
            return_url="http://127.0.0.1/b",
        ).url
    )

    until(lambda: is_stored("payment_intent.succeeded") and is_stored("account.updated"))
    for row_id in IncomingEvent.objects.filter(state=EventState.RECEIVED).values_list("pk", flat=True):
        incoming.process(event_id=row_id, now=timezone.now())
    account.refresh_from_db()
    payment.escrow.refresh_from_db()
    assert payment.escrow.state == "funded"
    assert account.onboarding_completed
    assert not IncomingEvent.objects.filter(state__in=[EventState.FAILED, EventState.QUARANTINED]).exists()


def is_stored(kind: str) -> bool:
    """Return whether such an event is stored."""
    return IncomingEvent.objects.filter(kind=kind).exists()


def until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    """Wait for a condition; fail when it does not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
