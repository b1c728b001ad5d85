"""Events of refunds, whoever made them and however they end."""

from __future__ import annotations

import stripe

from tests.sandbox import steps
from tests.sandbox.raw_requests import send
from tests.sandbox_process import SandboxProcess

UPDATED = ["charge.refund.updated", "refund.updated"]


def told(client: stripe.StripeClient, refund: str) -> list[str]:
    """Return the types of the events about one refund, in order."""
    events = client.v1.events.list({"limit": 100}).auto_paging_iter()
    return [event.type for event in events if event.data.object.to_dict().get("id") == refund][::-1]


def refunded(client: stripe.StripeClient, card: str = "pm_card_bypassPending") -> str:
    return client.v1.refunds.create({"payment_intent": steps.pay(client, 2_000, card).id}).id


def test_a_refund_that_succeeds_at_once_is_only_created(client: stripe.StripeClient) -> None:
    assert told(client, refunded(client, "pm_card_visa")) == ["refund.created"]


def test_a_refund_that_succeeds_later_is_updated(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    refund = refunded(client, "pm_card_pendingRefund")
    sandbox.advance(2)

    assert client.v1.refunds.retrieve(refund).status == "succeeded"
    assert told(client, refund) == ["refund.created", *reversed(UPDATED)]


def test_a_refund_that_fails_later_is_failed_and_updated(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    refund = refunded(client, "pm_card_refundFail")
    sandbox.advance(2)

    failed = client.v1.refunds.retrieve(refund)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert told(client, refund) == ["refund.created", "refund.failed", *reversed(UPDATED)]


def test_a_refund_that_waits_for_funds_is_updated(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    sandbox.control("POST", "lines", {"amount": -5_000, "type": "stripe_fee"})
    waiting, canceled = refunded(client), refunded(client)
    assert client.v1.refunds.retrieve(canceled).pending_reason == "insufficient_funds"
    client.v1.refunds.cancel(canceled)
    sandbox.control("POST", f"topups/{client.v1.topups.create({'amount': 9_000, 'currency': 'usd'}).id}/settle")
    sandbox.advance(1)

    assert client.v1.refunds.retrieve(waiting).status == "succeeded"
    assert told(client, waiting) == ["refund.created", *reversed(UPDATED)]
    assert told(client, canceled) == ["refund.created", *reversed(UPDATED)]
    assert client.v1.refunds.retrieve(canceled).status == "canceled"


def test_a_refund_in_the_dashboard_is_like_any_other(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    charge = str(steps.pay(client, 2_000, "pm_card_bypassPending").latest_charge)
    made = send(sandbox, "POST", "/v1/refunds", {"charge": charge, "amount": "700", "reason": "duplicate"}).body

    assert (made["metadata"], made["status"]) == ({}, "succeeded")
    assert told(client, made["id"]) == ["refund.created"]
    assert client.v1.charges.retrieve(charge).amount_refunded == 700
    client.v1.refunds.update(made["id"], {"metadata": {"why": "twice"}})
    assert told(client, made["id"]) == ["refund.created", *reversed(UPDATED)]
