"""Webhooks: who gets them, how they are signed, retried, lost, doubled, delayed, reordered; the list of events."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.conftest import sdk
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess, free_port

DAY = 86_400


def listen(
    client: stripe.StripeClient, url: str, kinds: list[str] | None = None, **more: Any
) -> stripe.WebhookEndpoint:
    params: Any = {"url": url, "enabled_events": kinds or ["*"], **more}
    return client.v1.webhook_endpoints.create(params)


def verified(receiver: Receiver, secret: str, at: int = 0) -> stripe.Event:
    headers, body = receiver.received[at]
    event: stripe.Event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)
    return event


def test_an_event_is_signed_so_that_the_sdk_accepts_it(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    endpoint = listen(client, receiver.url, ["payment_intent.succeeded"])
    intent = steps.pay(client, 1_500)
    sandbox.drain()

    event = verified(receiver, str(endpoint.secret))
    assert [row["type"] for row in receiver.events()] == ["payment_intent.succeeded"]
    assert (event.data.object["id"], event.account, event.livemode) == (intent.id, None, False)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver, "whsec_wrong")
    assert client.v1.webhook_endpoints.retrieve(endpoint.id).secret is None


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"enabled_events": ["payment_intent.suceeded"]}, "enabled_events[0]"),
        ({"enabled_events": ["*", "charge.*"]}, "enabled_events[1]"),
        ({"url": "ftp://example.com/hook"}, "url"),
        ({"url": "nowhere"}, "url"),
        ({"api_version": "2019-02-11"}, "api_version"),
    ],
)
def test_an_endpoint_that_would_hear_nothing_is_refused(
    client: stripe.StripeClient, asked: dict[str, Any], param: str
) -> None:
    params: Any = {"url": "https://example.com/hook", "enabled_events": ["*"], **asked}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.webhook_endpoints.create(params)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_endpoints_and_their_secrets_may_come_by_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SANDBOX_WEBHOOKS", f"{receiver.url}/1=whsec_one  {receiver.url}/2=whsec_two")
    monkeypatch.setenv("STRIPE_SANDBOX_CONNECT_WEBHOOKS", f"{receiver.url}/3=whsec_connect")
    with SandboxProcess() as sandbox:
        client = sdk(sandbox)
        client.v1.customers.create({})
        steps.freelancer(sandbox, client)
        sandbox.drain()

        endpoints = client.v1.webhook_endpoints.list().data
        assert {endpoint.url for endpoint in endpoints} == {f"{receiver.url}/{number}" for number in (1, 2, 3)}
        assert signers(receiver, "customer.created") == ["whsec_one", "whsec_two"]
        assert set(signers(receiver, "account.updated")) == {"whsec_connect"}


def signers(receiver: Receiver, kind: str) -> list[str]:
    """Which of the secrets has signed each event of a type."""
    found = []
    for at, event in enumerate(receiver.events()):
        for secret in ("whsec_one", "whsec_two", "whsec_connect") if event["type"] == kind else ():
            with contextlib.suppress(stripe.SignatureVerificationError):
                verified(receiver, secret, at)
                found.append(secret)
    return sorted(found)


def test_signatures_stay_fresh_when_the_clock_is_ahead(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    endpoint = listen(client, receiver.url, ["customer.created"])
    sandbox.advance(90 * DAY)
    client.v1.customers.create({})
    sandbox.drain()

    assert verified(receiver, str(endpoint.secret)).created > 80 * DAY


def test_connected_accounts_events_go_to_connect_endpoints_alone(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    other = Receiver()
    listen(client, receiver.url)
    endpoint = listen(client, other.url, connect=True)
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 1_000)
    sandbox.drain()

    kinds = {event["type"] for event in other.events()}
    assert {"account.updated", "capability.updated", "account.external_account.created"} <= kinds
    assert {event["account"] for event in other.events()} == {account}
    assert verified(other, str(endpoint.secret)).account == account
    assert {event["account"] for event in receiver.events()} == {None}
    assert "account.updated" not in {event["type"] for event in receiver.events()}
    other.close()


def test_a_roll_signs_with_both_secrets_for_a_day(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    endpoint = listen(client, receiver.url, ["customer.created"])
    secret = sandbox.control("POST", f"webhook_endpoints/{endpoint.id}/roll")["secret"]
    client.v1.customers.create({})
    sandbox.drain()
    sandbox.advance(DAY + 1)
    client.v1.customers.create({})
    sandbox.drain()

    assert verified(receiver, secret) == verified(receiver, str(endpoint.secret))
    verified(receiver, secret, 1)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver, str(endpoint.secret), 1)


def test_a_refusal_is_retried_with_growing_pauses_on_the_clock(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    listen(client, receiver.url, ["customer.created"])
    receiver.answers = [500, 302, 404]
    client.v1.customers.create({})
    sandbox.drain()
    assert len(receiver.received) == 1
    sandbox.advance(6)
    assert len(receiver.received) == 2
    sandbox.advance(40)
    assert len(receiver.received) == 3
    sandbox.advance(DAY)
    assert len(receiver.received) == 4
    assert len({event["id"] for event in receiver.events()}) == 1
    [delivery] = sandbox.deliveries()
    assert (delivery["status"], delivery["attempts"]) == ("succeeded", 4)


def test_after_three_days_it_is_given_up_and_can_be_sent_again(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    listen(client, receiver.url, ["customer.created"])
    receiver.answers = [500] * 50
    customer = client.v1.customers.create({})
    sandbox.advance(3 * DAY)

    [delivery] = sandbox.deliveries()
    assert (delivery["status"], len(receiver.received)) == ("failed", 11)
    [missed] = client.v1.events.list({"delivery_success": False}).data
    assert missed.data.object["id"] == customer.id
    receiver.answers = []
    assert sandbox.resend(missed.id) == 1
    sandbox.drain()
    assert len(receiver.received) == 12


@pytest.mark.parametrize(("kind", "came"), [("webhook_lost", 0), ("webhook_doubled", 2)])
def test_webhooks_are_lost_and_doubled(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver, kind: str, came: int
) -> None:
    listen(client, receiver.url, ["customer.created", "customer.updated"])
    sandbox.add_fault(kind, event_type="customer.created")
    customer = client.v1.customers.create({})
    client.v1.customers.update(customer.id, {"name": "B"})
    sandbox.drain()

    assert len(receiver.events("customer.created")) == came
    assert len(receiver.events("customer.updated")) == 1
    if not came:
        assert sandbox.resend() == 1
        sandbox.drain()
        assert len(receiver.events("customer.created")) == 1


def test_webhooks_are_delayed_on_the_clock(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    listen(client, receiver.url, ["customer.created"])
    sandbox.add_fault("webhook_delayed", seconds=3600)
    client.v1.customers.create({})
    sandbox.drain()
    assert receiver.received == []
    sandbox.advance(3601)
    assert len(receiver.received) == 1


def test_webhooks_are_reordered(sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver) -> None:
    listen(client, receiver.url, ["customer.created", "customer.updated"])
    sandbox.add_fault("webhook_reordered", event_type="customer.created", seconds=30, count=1)
    customer = client.v1.customers.create({})
    client.v1.customers.update(customer.id, {"name": "B"})
    receiver.wait_for("customer.created")

    assert [event["type"] for event in receiver.events()] == ["customer.updated", "customer.created"]


def test_disabled_and_deleted_endpoints_get_nothing(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    endpoint = listen(client, receiver.url)
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    client.v1.customers.create({})
    client.v1.webhook_endpoints.delete(endpoint.id)
    client.v1.customers.create({})
    sandbox.drain()

    assert receiver.received == []
    assert client.v1.webhook_endpoints.list().data == []


def test_an_update_tells_what_was_before(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "A", "metadata": {"a": "1"}})
    client.v1.customers.update(customer.id, {"name": "B", "metadata": {"a": "2"}})

    [event] = client.v1.events.list({"type": "customer.updated"}).data
    before = json.loads(str(event.data.previous_attributes))
    assert before == {"name": "A", "metadata": {"a": "1"}}
    assert event.request is not None
    assert str(event.request.id).startswith("req_")
    assert event.request.idempotency_key


def test_events_are_listed_by_type_and_for_thirty_days(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    paid = steps.pay(client, 1_000)
    client.v1.customers.create({})

    kinds = [event.type for event in client.v1.events.list({"types": ["charge.*", "customer.created"]}).data]
    assert kinds == ["customer.created", "charge.succeeded"]
    [event] = client.v1.events.list({"type": "payment_intent.succeeded"}).data
    assert event.data.object["id"] == paid.id
    assert client.v1.events.retrieve(event.id).id == event.id
    sandbox.advance(31 * DAY)
    assert "payment_intent.succeeded" not in [row.type for row in client.v1.events.list().data]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.retrieve(event.id)


def test_endpoints_of_the_command_line_use_their_secrets(receiver: Receiver) -> None:
    with SandboxProcess(
        webhooks={receiver.url: "whsec_own"}, connect_webhooks={receiver.url: "whsec_connect"}
    ) as sandbox:
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": sandbox.base_url})
        client.v1.customers.create({})
        sandbox.drain()
        verified(receiver, "whsec_own")
        steps.freelancer(sandbox, client)
        sandbox.drain()
        verified(receiver, "whsec_connect", -1)
        sandbox.restart()
        assert len(client.v1.webhook_endpoints.list().data) == 2


def test_what_nobody_took_before_a_kill_is_sent_after_it() -> None:
    port = free_port()
    # The first pause is longer than a start may take on a slow machine.
    pauses = ("--webhook-retries=600,3600",)
    with SandboxProcess(webhooks={f"http://127.0.0.1:{port}/hook": "whsec_a"}, arguments=pauses) as sandbox:
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": sandbox.base_url})
        client.v1.customers.create({})
        sandbox.drain()
        sandbox.kill()
        sandbox.restart()
        [delivery] = sandbox.deliveries()
        assert (delivery["status"], delivery["attempts"]) == ("pending", 1)
        sandbox.advance(3 * DAY)
        assert sandbox.deliveries()[0]["status"] == "failed"
