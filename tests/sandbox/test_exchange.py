"""Charges that settle in another currency: what is converted, at which rate, and what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox_process import ControlRefused, SandboxProcess


def settle(sandbox: SandboxProcess, rate: str, account: str = "platform") -> None:
    """Let an account settle euros in dollars."""
    sandbox.control("POST", f"accounts/{account}/settlement", {"eur": {"currency": "usd", "rate": rate}})


def pay(client: stripe.StripeClient, amount: int = 10_000, card: str = "pm_card_bypassPending") -> stripe.PaymentIntent:
    return steps.pay(client, amount, card, currency="eur", expand=["latest_charge.balance_transaction"])


def newest(client: stripe.StripeClient, kind: str, account: str | None = None) -> tuple[int, int, str, float | None]:
    """Return amount, fee, currency and rate of the newest line of a type."""
    own: Any = {"stripe_account": account} if account else {}
    line = client.v1.balance_transactions.list({"type": kind}, own).data[0]
    return line.amount, line.fee, line.currency, line.exchange_rate


def test_a_charge_is_converted_and_its_fee_is_taken_afterwards(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    settle(sandbox, "1.0834")
    charge: Any = pay(client).latest_charge

    line = charge.balance_transaction
    assert (charge.amount, charge.currency) == (10_000, "eur")
    assert (line.amount, line.fee, line.net, line.currency, line.exchange_rate) == (10_834, 344, 10_490, "usd", 1.0834)
    assert line.fee_details[0].currency == "usd"
    assert [(row.amount, row.currency) for row in client.v1.balance.retrieve().available] == [(10_490, "usd")]
    money = sandbox.money()
    assert money["sums"] == {"eur": 0, "usd": 0}
    assert money["stripe"]["exchange"] == {"eur": 10_000, "usd": -10_834}
    [card] = money["cards"].values()
    assert card == {"eur": {"charged": 10_000, "refunded": 0}}


def test_a_refund_is_converted_at_the_rate_of_its_day(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    settle(sandbox, "1.0834")
    paid = pay(client)
    settle(sandbox, "1.1")
    refund = client.v1.refunds.create({"payment_intent": paid.id, "amount": 5_000})

    assert (refund.amount, refund.currency) == (5_000, "eur")
    assert newest(client, "refund") == (-5_500, 0, "usd", 1.1)
    sandbox.control("POST", f"refunds/{refund.id}/fail")
    assert newest(client, "refund_failure") == (5_500, 0, "usd", 1.1)
    # Without a rule the rate of the charge serves, since the money is there in its currency.
    sandbox.control("POST", "accounts/platform/settlement", {})
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 5_000})
    assert newest(client, "refund") == (-5_417, 0, "usd", 1.0834)
    assert set(sandbox.money()["sums"].values()) == {0}


def test_a_refund_waits_for_funds_of_the_settlement(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    settle(sandbox, "1.1")
    paid = pay(client)
    settle(sandbox, "1.2")

    # 10,626 dollars are there; ten thousand euros cost 12,000 now.
    assert client.v1.refunds.create({"payment_intent": paid.id}).pending_reason == "insufficient_funds"


def test_a_dispute_is_converted_and_its_fee_is_not(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    settle(sandbox, "1.1")
    paid: Any = pay(client)
    opened = sandbox.control("POST", "disputes", {"charge": paid.latest_charge.id})
    settle(sandbox, "1.2")
    sandbox.control("POST", f"disputes/{opened['id']}", {"outcome": "won"})

    dispute = client.v1.disputes.retrieve(opened["id"])
    assert (dispute.amount, dispute.currency) == (10_000, "eur")
    assert [(line.amount, line.fee, line.currency, line.exchange_rate) for line in dispute.balance_transactions] == [
        (-11_000, 1_500, "usd", 1.1), (12_000, 0, "usd", 1.2),
    ]  # fmt: skip


def test_a_transfer_has_the_currency_of_the_settlement(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    settle(sandbox, "1.0834")
    account = steps.freelancer(sandbox, client)
    paid: Any = pay(client, card="pm_card_visa")
    asked: Any = {"destination": account, "source_transaction": paid.latest_charge.id}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create({**asked, "currency": "eur", "amount": 1_000})
    assert caught.value.param == "currency"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create({**asked, "currency": "usd", "amount": 10_835})
    assert caught.value.param == "amount"
    assert client.v1.transfers.create({**asked, "currency": "usd"}).amount == 10_834


def test_a_payee_may_settle_in_another_currency_too(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    settle(sandbox, "1.1", account)
    pay(client)
    asked: Any = {"amount": 1_000, "currency": "eur", "destination": account}
    transfer = client.v1.transfers.create(asked)

    assert newest(client, "transfer") == (-1_000, 0, "eur", None)
    assert newest(client, "payment", account) == (1_100, 0, "usd", 1.1)
    settle(sandbox, "1.2", account)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.reversals.create(transfer.id)
    assert caught.value.code == "balance_insufficient"
    client.v1.transfers.reversals.create(transfer.id, {"amount": 500})
    assert newest(client, "payment_refund", account) == (-600, 0, "usd", 1.2)
    assert newest(client, "transfer_refund") == (500, 0, "eur", None)
    assert steps.usd(sandbox, account) == (0, 500)


@pytest.mark.parametrize(
    "rules",
    [{"eur": "usd"}, {"eur": {"currency": "usd", "rate": 1.1}}, {"eur": {"currency": "usd", "rate": "0.00"}},
     {"eur": {"currency": "usd", "rate": "-1"}}, {"xxx": {"currency": "usd", "rate": "1"}},
     {"eur": {"currency": "xxx", "rate": "1"}}],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(sandbox: SandboxProcess, rules: dict[str, object]) -> None:
    with pytest.raises(ControlRefused, match="400"):
        sandbox.control("POST", "accounts/platform/settlement", rules)
