"""The whole story of a marketplace payment, by the official SDK alone."""

from __future__ import annotations

import stripe

from tests.sandbox import steps
from tests.sandbox_process import SandboxProcess

DAY = 86_400


def test_a_freelancer_is_paid_from_a_card_to_the_bank(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    freelancer = steps.freelancer(sandbox, client)
    paid = steps.pay(client, 10_000)
    charge = client.v1.charges.retrieve(str(paid.latest_charge), {"expand": ["balance_transaction"]})
    transfer = client.v1.transfers.create(
        {"amount": 8_500, "currency": "usd", "destination": freelancer, "source_transaction": charge.id}
    )

    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert charge.balance_transaction.fee == 320
    assert transfer.transfer_group == f"group_{paid.id}"
    sandbox.advance(2 * DAY)
    balance = client.v1.balance.retrieve({}, {"stripe_account": freelancer})
    assert balance.available[0].amount == 8_500
    payout = client.v1.payouts.create({"amount": 8_500, "currency": "usd"}, {"stripe_account": freelancer})
    assert payout.status == "pending"
    sandbox.advance(2 * DAY)
    assert client.v1.payouts.retrieve(payout.id, {}, {"stripe_account": freelancer}).status == "paid"
    money = sandbox.money()
    assert money["bank_deposits"] == {freelancer: {"usd": 8_500}}
    assert money["accounts"][money["platform"]]["available"] == {"usd": 10_000 - 320 - 8_500}
    assert money["sums"] == {"usd": 0}
