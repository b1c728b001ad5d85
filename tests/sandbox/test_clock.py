"""The virtual clock: what falls due happens in order, at its own moment, by advance or by waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.conftest import sdk
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import ControlRefused, SandboxProcess

DAY = 86_400


def until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_clock_moves_forward_only(sandbox: SandboxProcess) -> None:
    assert abs(sandbox.now() - time.time()) < 5
    sandbox.advance(3 * DAY)
    assert abs(sandbox.now() - time.time() - 3 * DAY) < 5
    for seconds in (-1, "soon", True, None, 10**9):
        with pytest.raises(ControlRefused, match="400"):
            sandbox.control("POST", "clock", {"seconds": seconds})


def test_one_long_advance_plays_everything_at_its_own_moment(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    own: Any = {"stripe_account": account}
    client.v1.balance_settings.update({"payments": {"payouts": {"schedule": {"interval": "daily"}}}}, own)
    paid: Any = steps.pay(client, 10_000, expand=["latest_charge.balance_transaction"])
    params: Any = {
        "amount": 8_500,
        "currency": "usd",
        "destination": account,
        "source_transaction": paid.latest_charge.id,
    }
    client.v1.transfers.create(params)
    sandbox.advance(30 * DAY)

    available_on = paid.latest_charge.balance_transaction.available_on
    [available] = client.v1.events.list({"type": "balance.available"}, own).data
    [payout] = client.v1.payouts.list({}, own).data
    [arrived] = client.v1.events.list({"type": "payout.paid"}, own).data
    assert available.created == available_on
    assert payout.status == "paid"
    assert arrived.created == payout.arrival_date == available_on + 2 * DAY


def test_without_an_advance_real_time_does_the_same() -> None:
    receiver = Receiver()
    options: Any = {"settle_after": 1, "payout_after": 1, "webhooks": {receiver.url: "whsec_x"}}
    with SandboxProcess(arguments=("--webhook-retries=0.3,0.3",), **options) as sandbox:
        client = sdk(sandbox)
        receiver.answers = [500, 500]
        client.v1.customers.create({})
        receiver.wait_for("customer.created", 3)
        account = steps.freelancer(sandbox, client)
        own: Any = {"stripe_account": account}
        charge = str(steps.pay(client, 10_000).latest_charge)
        client.v1.transfers.create(
            {"amount": 8_500, "currency": "usd", "destination": account, "source_transaction": charge}
        )
        until(lambda: client.v1.balance.retrieve({}, own).available[0].amount == 8_500)
        payout = client.v1.payouts.create({"amount": 8_500, "currency": "usd"}, own)
        until(lambda: client.v1.payouts.retrieve(payout.id, {}, own).status == "paid")
        receiver.wait_for("balance.available")
    receiver.close()


def test_a_restart_catches_up_with_what_fell_due_meanwhile(own: SandboxProcess) -> None:
    own.stop()
    own.start(settle_after=1)
    steps.pay(sdk(own), 10_000)
    own.kill()
    time.sleep(1.1)  # The time that passes is what is tested.
    own.restart()

    until(lambda: sdk(own).v1.balance.retrieve().available[0].amount == 9_680)
