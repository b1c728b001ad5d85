"""Fault rules: each kind has its effect as often as configured, and the same for the same seed."""

from __future__ import annotations

import time

import pytest
import stripe

from tests.sandbox import raw_requests
from tests.sandbox.conftest import sdk
from tests.sandbox_process import ControlRefused, SandboxProcess

FORM = {"amount": "500", "currency": "usd"}
PI = "/v1/payment_intents"


def create(sandbox: SandboxProcess, key: str = "k") -> stripe.PaymentIntent:
    return sdk(sandbox).v1.payment_intents.create({"amount": 500, "currency": "usd"}, {"idempotency_key": key})


def test_a_dropped_request_has_no_effect(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("drop_request", method="POST", path=PI, count=1)

    with pytest.raises(stripe.APIConnectionError):
        create(sandbox)
    assert sandbox.objects("payment_intent") == []
    assert create(sandbox).amount == 500


def test_a_dropped_response_comes_after_the_effect(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("drop_response", path=PI, count=1)

    with pytest.raises(stripe.APIConnectionError):
        create(sandbox)
    [made] = sandbox.objects("payment_intent")
    assert create(sandbox).id == made["object"]["id"]


@pytest.mark.parametrize(("kind", "effects"), [("error_before", 0), ("error_after", 1)])
def test_a_500_is_kept_with_its_key(sandbox: SandboxProcess, kind: str, effects: int) -> None:
    sandbox.add_fault(kind, path=PI, count=1)

    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            create(sandbox)
        assert caught.value.http_status == 500
    assert len(sandbox.objects("payment_intent")) == effects
    create(sandbox, "another key")
    assert len(sandbox.objects("payment_intent")) == effects + 1


def test_a_rate_limit_is_not_kept(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("rate_limit", path="/v1/*", count=1)

    with pytest.raises(stripe.RateLimitError):
        create(sandbox)
    assert create(sandbox).amount == 500


def test_a_delay_keeps_the_caller_waiting(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("delay", path=PI, seconds=0.4, count=1)
    began = time.monotonic()
    create(sandbox)

    assert time.monotonic() - began >= 0.4


def test_a_rule_meets_only_what_it_names(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("error_before", method="POST", path="/v1/customers/*")

    assert raw_requests.send(sandbox, "POST", "/v1/customers", {}).status == 200
    assert raw_requests.send(sandbox, "POST", "/v1/customers/cus_x", {}).status == 500
    assert raw_requests.send(sandbox, "GET", "/v1/customers/cus_x").status == 404


def test_count_and_skip_say_which_requests(sandbox: SandboxProcess) -> None:
    sandbox.add_fault("rate_limit", path="/v1/balance", skip=1, count=2)

    assert [raw_requests.send(sandbox, "GET", "/v1/balance").status for _ in range(5)] == [200, 429, 429, 200, 200]
    [rule] = sandbox.faults()
    assert (rule["matched"], rule["fired"]) == (5, 2)
    sandbox.clear_faults()
    assert sandbox.faults() == []


def drawn(sandbox: SandboxProcess, seed: str) -> list[int]:
    sandbox.clear_faults()
    sandbox.add_fault("rate_limit", path="/v1/balance", probability=0.5, seed=seed)
    return [raw_requests.send(sandbox, "GET", "/v1/balance").status for _ in range(40)]


def test_chance_is_the_same_for_the_same_seed() -> None:
    with SandboxProcess(seed=1) as one, SandboxProcess(seed=1) as other:
        first, second = drawn(one, "a"), drawn(other, "a")

    assert first == second
    assert 8 < first.count(429) < 32


def test_the_same_seed_draws_the_same_ids() -> None:
    with SandboxProcess(seed=5) as one, SandboxProcess(seed=5) as other, SandboxProcess(seed=6) as third:
        ids = [create(sandbox).id for sandbox in (one, other, third)]

    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    "rule", [{"kind": "earthquake"}, {"kind": "delay", "seconds": "x"}, {"kind": "delay", "where": 1},
             {"kind": "delay", "count": 1.5}, {"kind": "delay", "path": 3}, {"kind": "delay", "probability": -1}]
)  # fmt: skip
def test_a_rule_that_cannot_be_read_is_refused(sandbox: SandboxProcess, rule: dict[str, object]) -> None:
    with pytest.raises(ControlRefused, match="400"):
        sandbox.control("POST", "faults", rule)
