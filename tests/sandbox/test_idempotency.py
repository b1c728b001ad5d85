"""Idempotency keys: replay, changed parameters, in flight, what is kept and for how long."""

from __future__ import annotations

import threading
import time

import pytest
import stripe

from tests.sandbox import raw_requests, steps
from tests.sandbox.conftest import sdk
from tests.sandbox_process import SandboxProcess

FORM = {"amount": "500", "currency": "usd"}
PI = "/v1/payment_intents"


def test_the_same_key_gives_the_first_answer_again(sandbox: SandboxProcess) -> None:
    first = raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k")
    again = raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k")

    assert again.body == first.body
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == (None, "true")
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert len(sandbox.objects("payment_intent")) == 1


def test_the_order_of_parameters_is_no_other_request(sandbox: SandboxProcess) -> None:
    first = raw_requests.send(
        sandbox, "POST", PI, "amount=500&currency=usd&metadata[a]=1&metadata[b]=2", Idempotency_Key="k"
    )
    again = raw_requests.send(
        sandbox, "POST", PI, "metadata[b]=2&currency=usd&metadata[a]=1&amount=500", Idempotency_Key="k"
    )

    assert (again.status, again.body) == (200, first.body)


def test_other_parameters_under_the_same_key_are_refused(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create({"amount": 500, "currency": "usd"}, {"idempotency_key": "k"})

    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create({"amount": 600, "currency": "usd"}, {"idempotency_key": "k"})
    assert (
        raw_requests.send(sandbox, "POST", "/v1/customers", {}, Idempotency_Key="k").error["type"]
        == "idempotency_error"
    )
    assert len(sandbox.objects("payment_intent")) == 1


def test_a_key_in_flight_is_409(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("delay", path=PI, seconds=1.5, count=1)
    answers: list[raw_requests.Reply] = []
    slow = threading.Thread(
        target=lambda: answers.append(raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k"))
    )
    slow.start()
    deadline = time.monotonic() + 60
    while not sandbox.faults()[0]["fired"]:
        assert time.monotonic() < deadline
    meanwhile = raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k")
    slow.join()

    assert (meanwhile.status, meanwhile.error["code"]) == (409, "idempotency_key_in_use")
    assert answers[0].status == 200
    assert len(sandbox.objects("payment_intent")) == 1


def test_refused_parameters_are_not_kept(sandbox: SandboxProcess) -> None:
    assert raw_requests.send(sandbox, "POST", PI, {"amount": "x", "currency": "usd"}, Idempotency_Key="k").status == 400
    assert raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k").status == 200


def test_a_refusal_by_the_state_of_the_money_is_kept(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    form = {"amount": "500", "currency": "usd", "destination": account}

    first = raw_requests.send(sandbox, "POST", "/v1/transfers", form, Idempotency_Key="k")
    steps.pay(client, 5_000, "pm_card_bypassPending")
    again = raw_requests.send(sandbox, "POST", "/v1/transfers", form, Idempotency_Key="k")
    assert (first.error["code"], again.body) == ("balance_insufficient", first.body)
    assert raw_requests.send(sandbox, "POST", "/v1/transfers", form, Idempotency_Key="other").status == 200


def test_a_decline_is_kept_with_its_effects(sandbox: SandboxProcess) -> None:
    form = {**FORM, "payment_method": "pm_card_chargeDeclined", "confirm": "true"}
    first = raw_requests.send(sandbox, "POST", PI, form, Idempotency_Key="k")
    again = raw_requests.send(sandbox, "POST", PI, form, Idempotency_Key="k")

    assert (first.status, again.body) == (402, first.body)
    assert len(sandbox.objects("charge")) == 1


def test_keys_of_two_accounts_are_independent(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)

    own = raw_requests.send(sandbox, "POST", "/v1/customers", {}, Idempotency_Key="k")
    other = raw_requests.send(sandbox, "POST", "/v1/customers", {}, Idempotency_Key="k", Stripe_Account=account)
    assert own.body["id"] != other.body["id"]


def test_a_key_lives_for_a_day(sandbox: SandboxProcess) -> None:
    first = raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k")
    sandbox.advance(23 * 3600)
    assert raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k").body["id"] == first.body["id"]
    sandbox.advance(2 * 3600)
    assert raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k").body["id"] != first.body["id"]


@pytest.mark.parametrize("key", ["x" * 256, ""])
def test_a_key_has_a_length(sandbox: SandboxProcess, key: str) -> None:
    assert raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key=key).status == 400


def test_twenty_at_once_with_one_key_have_one_effect(sandbox: SandboxProcess) -> None:
    barrier = threading.Barrier(20)
    statuses: list[int] = []

    def ask() -> None:
        barrier.wait()
        statuses.append(raw_requests.send(sandbox, "POST", PI, FORM, Idempotency_Key="k").status)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert len(sandbox.objects("payment_intent")) == 1


def test_the_sdk_retries_a_dropped_answer_into_one_effect(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("drop_response", path=PI, count=1)
    intent = sdk(sandbox, retries=2).v1.payment_intents.create({"amount": 500, "currency": "usd"})

    assert [row["object"]["id"] for row in sandbox.objects("payment_intent")] == [intent.id]
