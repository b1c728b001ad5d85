"""Money of connected accounts: transfers, availability and payouts."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox_process import ControlRefused, SandboxProcess

DAY = 86_400


def test_no_payout_goes_by_itself_to_a_bank_that_refused_one(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client, account_number="000111111113")
    own: Any = {"stripe_account": account}
    client.v1.balance_settings.update({"payments": {"payouts": {"schedule": {"interval": "daily"}}}}, own)

    def earn() -> None:
        charge = str(steps.pay(client, 1_000).latest_charge)
        params: Any = {"amount": 500, "currency": "usd", "destination": account, "source_transaction": charge}
        client.v1.transfers.create(params)
        sandbox.advance(5 * DAY)

    earn()
    [bank] = client.v1.accounts.external_accounts.list(account).data
    assert ([payout.status for payout in client.v1.payouts.list({}, own)], bank.status) == (["failed"], "errored")
    assert client.v1.events.list({"type": "account.external_account.updated"}, own).data
    earn()
    assert len(client.v1.payouts.list({}, own).data) == 1
    sandbox.onboard(steps.link(client, account).url)
    earn()
    assert [payout.status for payout in client.v1.payouts.list({}, own)] == ["paid", "failed"]


def test_a_deleted_account_keeps_nobody_from_settling(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    charge = str(steps.pay(client, 1_000).latest_charge)
    params: Any = {"amount": 500, "currency": "usd", "destination": account, "source_transaction": charge}
    client.v1.transfers.reversals.create(client.v1.transfers.create(params).id)
    client.v1.accounts.delete(account)
    steps.pay(client, 2_000)
    sandbox.advance(3 * DAY)

    assert steps.usd(sandbox) == (0, 1_000 - 59 + 2_000 - 88)
    assert client.v1.balance.retrieve().available[0].amount == 2_853


def test_a_recipient_can_use_a_transfer_a_day_later(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    terms: Any = {"service_agreement": "recipient"}
    account = steps.account(client, tos_acceptance=terms).id
    sandbox.onboard(steps.link(client, account).url)
    steps.pay(client, 2_000, "pm_card_bypassPending")
    before = steps.usd(sandbox)
    sent = client.v1.transfers.create({"amount": 1_000, "currency": "usd", "destination": account})

    assert steps.usd(sandbox, account) == (1_000, 0)
    client.v1.transfers.reversals.create(sent.id, {"amount": 400})
    assert steps.usd(sandbox) == (before[0], before[1] - 600)
    sandbox.advance(DAY)
    assert steps.usd(sandbox, account) == (0, 600)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        steps.account(client, tos_acceptance=terms, capabilities={"card_payments": {"requested": True}})
    assert caught.value.param == "capabilities[card_payments]"


def test_a_payout_fails_for_reasons_that_there_are(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 2_000, "pm_card_bypassPending")
    client.v1.transfers.create({"amount": 1_000, "currency": "usd", "destination": account})
    own: Any = {"stripe_account": account}
    payout = client.v1.payouts.create({"amount": 1_000, "currency": "usd"}, own)

    with pytest.raises(ControlRefused, match="bank_ownership_changed"):
        sandbox.control("POST", f"payouts/{payout.id}/fail", {"code": "bad_weather"})
    sandbox.control("POST", f"payouts/{payout.id}/fail", {"code": "incorrect_account_holder_name"})
    told = client.v1.payouts.retrieve(payout.id, {}, own)
    assert (told.status, told.failure_code) == ("failed", "incorrect_account_holder_name")
    assert "name" in str(told.failure_message)


def test_connected_accounts_send_each_other_nothing(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    one, other = steps.freelancer(sandbox, client), steps.freelancer(sandbox, client)
    steps.pay(client, 2_000, "pm_card_bypassPending")
    client.v1.transfers.create({"amount": 1_000, "currency": "usd", "destination": one})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create({"amount": 100, "currency": "usd", "destination": other}, {"stripe_account": one})
    assert (caught.value.code, caught.value.param) == ("resource_missing", "destination")
    assert steps.usd(sandbox, other) == (0, 0)
