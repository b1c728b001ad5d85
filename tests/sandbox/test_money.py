"""Money: fees, transfers, reversals, refunds, payouts, disputes, and the balances they leave."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.steps import usd
from tests.sandbox_process import SandboxProcess

DAY = 86_400


def transfer(client: stripe.StripeClient, account: str, amount: int, **more: Any) -> stripe.Transfer:
    params: Any = {"amount": amount, "currency": "usd", "destination": account, **more}
    return client.v1.transfers.create(params)


@pytest.mark.parametrize(
    ("amount", "fee"), [(10_000, 320), (1_050, 60), (50, 31), (5_017, 175), (99_999_999, 2_900_030)]
)
def test_the_fee_is_a_share_rounded_half_up_and_a_fixed_part(
    sandbox: SandboxProcess, client: stripe.StripeClient, amount: int, fee: int
) -> None:
    paid: Any = steps.pay(client, amount, expand=["latest_charge.balance_transaction"])
    transaction = paid.latest_charge.balance_transaction

    assert (transaction.amount, transaction.fee, transaction.net) == (amount, fee, amount - fee)
    assert (transaction.type, transaction.status) == ("charge", "pending")
    assert usd(sandbox) == (amount - fee, 0)


def test_funds_become_available_and_say_so(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    steps.pay(client, 10_000)
    sandbox.advance(2 * DAY - 60)
    assert usd(sandbox) == (9_680, 0)
    sandbox.advance(61)

    assert usd(sandbox) == (0, 9_680)
    assert client.v1.balance_transactions.list().data[0].status == "available"
    assert len(client.v1.events.list({"type": "balance.available"}).data) == 1


def test_a_transfer_needs_available_money(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 10_000)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        transfer(client, account, 100)
    assert caught.value.code == "balance_insufficient"
    sandbox.advance(2 * DAY)
    transfer(client, account, 9_680)
    with pytest.raises(stripe.InvalidRequestError):
        transfer(client, account, 1)
    assert usd(sandbox, account) == (0, 9_680)


def test_a_transfer_from_a_charge_waits_with_it(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    charge = str(steps.pay(client, 10_000).latest_charge)
    sent = transfer(client, account, 8_500, source_transaction=charge)

    assert (usd(sandbox, account), usd(sandbox)) == ((8_500, 0), (1_180, 0))
    own: Any = {"stripe_account": account}
    payment = client.v1.charges.retrieve(str(sent.destination_payment), {"expand": ["balance_transaction"]}, own)
    assert isinstance(payment.balance_transaction, stripe.BalanceTransaction)
    assert (payment.id[:3], payment.source_transfer, payment.balance_transaction.type) == ("py_", sent.id, "payment")
    with pytest.raises(stripe.InvalidRequestError, match="must not exceed the source amount"):
        transfer(client, account, 1_501, source_transaction=charge)
    sandbox.advance(2 * DAY)
    assert (usd(sandbox, account), usd(sandbox)) == ((0, 8_500), (0, 1_180))


def test_a_transfer_in_another_currency_than_its_charge_is_refused(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    charge = str(steps.pay(client, 10_000).latest_charge)

    with pytest.raises(stripe.InvalidRequestError):
        transfer(client, account, 100, source_transaction=charge, currency="eur")


def test_what_was_refunded_cannot_be_transferred(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    paid = steps.pay(client, 10_000)
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 6_000})

    with pytest.raises(stripe.InvalidRequestError):
        transfer(client, account, 4_001, source_transaction=str(paid.latest_charge))
    transfer(client, account, 4_000, source_transaction=str(paid.latest_charge))


def test_an_account_that_is_not_onboarded_gets_no_transfer(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.account(client).id
    charge = str(steps.pay(client, 10_000).latest_charge)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        transfer(client, account, 100, source_transaction=charge)
    assert caught.value.code == "insufficient_capabilities_for_transfer"


def test_a_charge_and_its_transfers_share_a_group(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    named = steps.pay(client, 1_000, transfer_group="task-7")
    unnamed = steps.pay(client, 1_000)

    first = transfer(client, account, 100, source_transaction=str(named.latest_charge))
    second = transfer(client, account, 100, source_transaction=str(unnamed.latest_charge))
    assert (first.transfer_group, second.transfer_group) == ("task-7", f"group_{unnamed.id}")
    assert client.v1.charges.retrieve(str(unnamed.latest_charge)).transfer_group == f"group_{unnamed.id}"
    assert [row.id for row in client.v1.transfers.list({"transfer_group": "task-7"}).data] == [first.id]


@pytest.mark.parametrize("settled", [False, True])
def test_reversals_bring_money_back_in_parts(
    sandbox: SandboxProcess, client: stripe.StripeClient, settled: bool
) -> None:
    account = steps.freelancer(sandbox, client)
    sent = transfer(client, account, 8_500, source_transaction=str(steps.pay(client, 10_000).latest_charge))
    if settled:
        sandbox.advance(2 * DAY)
    client.v1.transfers.reversals.create(sent.id, {"amount": 3_000})
    part = client.v1.transfers.retrieve(sent.id)

    assert (part.amount_reversed, part.reversed) == (3_000, False)
    assert usd(sandbox, account) == ((0, 5_500) if settled else (5_500, 0))
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.reversals.create(sent.id, {"amount": 5_501})
    client.v1.transfers.reversals.create(sent.id)
    whole = client.v1.transfers.retrieve(sent.id)
    assert (whole.amount_reversed, whole.reversed, len(whole.reversals.data)) == (8_500, True, 2)
    assert usd(sandbox, account) == (0, 0)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.reversals.create(sent.id)


def test_a_reversal_needs_the_money_to_be_there(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    sent = transfer(client, account, 8_500, source_transaction=str(steps.pay(client, 10_000).latest_charge))
    sandbox.advance(2 * DAY)
    client.v1.payouts.create({"amount": 8_000, "currency": "usd"}, {"stripe_account": account})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.reversals.create(sent.id)
    assert caught.value.code == "balance_insufficient"


def test_refunds_in_parts_and_never_too_much(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    paid = steps.pay(client, 10_000)
    first = client.v1.refunds.create({"payment_intent": paid.id, "amount": 4_000})
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 6_001})
    client.v1.refunds.create({"charge": str(paid.latest_charge)})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": paid.id})

    assert (first.status, too_much.value.param, too_much.value.code) == ("succeeded", "amount", None)
    assert again.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (10_000, True)
    assert usd(sandbox) == (-320, 0)
    kinds = {event.type for event in client.v1.events.list({"limit": 100}).data}
    assert {"refund.created", "charge.refunded"} <= kinds


def test_a_refund_that_the_balance_does_not_cover_waits(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    paid = steps.pay(client, 10_000)
    sandbox.advance(2 * DAY)
    transfer(client, account, 9_000)
    refund = client.v1.refunds.create({"payment_intent": paid.id})

    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")
    steps.pay(client, 20_000, "pm_card_visa")
    sandbox.advance(2 * DAY)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert usd(sandbox) == (0, 680 + 19_390 - 10_000)


def test_a_refund_fails_once_however_often_it_is_told(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    steps.pay(client, 20_000, "pm_card_bypassPending")
    paid = steps.pay(client, 10_000, "pm_card_refundFail")
    before = sum(steps.usd(sandbox))
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    sandbox.control("POST", f"refunds/{refund.id}/fail", {"reason": "declined"})
    sandbox.advance(60)

    assert sum(steps.usd(sandbox)) == before
    assert client.v1.charges.retrieve(str(paid.latest_charge)).amount_refunded == 0
    assert client.v1.refunds.retrieve(refund.id).failure_reason == "declined"


def test_refund_cards_succeed_later_and_fail_later(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    later = client.v1.refunds.create({"payment_intent": steps.pay(client, 10_000, "pm_card_pendingRefund").id})
    failing = client.v1.refunds.create({"payment_intent": steps.pay(client, 10_000, "pm_card_refundFail").id})
    assert (later.status, failing.status) == ("pending", "succeeded")
    sandbox.advance(5)

    assert client.v1.refunds.retrieve(later.id).status == "succeeded"
    failed = client.v1.refunds.retrieve(failing.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert failed.failure_balance_transaction.type == "refund_failure"
    assert len(client.v1.events.list({"type": "refund.failed"}).data) == 1
    assert sum(usd(sandbox)) == 2 * 9_680 - 10_000


def rich(sandbox: SandboxProcess, client: stripe.StripeClient, number: str = "000123456789") -> str:
    """Return a connected account with 85 dollars available."""
    account = steps.freelancer(sandbox, client, account_number=number)
    transfer(client, account, 8_500, source_transaction=str(steps.pay(client, 10_000).latest_charge))
    sandbox.advance(2 * DAY)
    return account


def pay_out(client: stripe.StripeClient, account: str, amount: int, **more: Any) -> stripe.Payout:
    params: Any = {"amount": amount, "currency": "usd", **more}
    return client.v1.payouts.create(params, {"stripe_account": account})


def read(client: stripe.StripeClient, account: str, payout: str) -> stripe.Payout:
    return client.v1.payouts.retrieve(payout, {}, {"stripe_account": account})


def test_a_payout_goes_its_way_to_the_bank(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = rich(sandbox, client)
    payout = pay_out(client, account, 5_000)
    seen = [payout.status]
    for _ in range(2):
        sandbox.advance(DAY + 1)
        seen.append(read(client, account, payout.id).status)

    assert seen == ["pending", "in_transit", "paid"]
    assert usd(sandbox, account) == (0, 3_500)
    assert sandbox.money()["bank_deposits"] == {account: {"usd": 5_000}}
    kinds = [event.type for event in client.v1.events.list({"type": "payout.*"}, {"stripe_account": account}).data]
    assert kinds == ["payout.paid", "payout.updated", "payout.updated", "payout.created"]


def test_a_payout_needs_available_money_and_a_bank(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = rich(sandbox, client)
    with pytest.raises(stripe.InvalidRequestError) as short:
        pay_out(client, account, 8_501)
    with pytest.raises(stripe.InvalidRequestError) as foreign:
        pay_out(client, account, 100, currency="eur")
    poor = steps.account(client).id
    with pytest.raises(stripe.InvalidRequestError):
        pay_out(client, poor, 100)

    assert (short.value.code, foreign.value.code) == ("balance_insufficient", "no_external_account_in_currency")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("000111111116", "no_account"),
        ("000111111113", "account_closed"),
        ("000222222227", "insufficient_funds"),
        ("000333333335", "debit_not_authorized"),
        ("000444444440", "invalid_currency"),
    ],
)
def test_a_payout_to_a_bad_bank_fails_and_comes_back(
    sandbox: SandboxProcess, client: stripe.StripeClient, number: str, code: str
) -> None:
    account = rich(sandbox, client, number)
    payout = pay_out(client, account, 8_500)
    assert usd(sandbox, account) == (0, 0)
    sandbox.advance(2 * DAY + 1)

    failed = read(client, account, payout.id)
    assert (failed.status, failed.failure_code) == ("failed", code)
    assert failed.failure_message
    assert failed.failure_balance_transaction
    assert usd(sandbox, account) == (0, 8_500)


def test_a_payout_can_fail_after_it_was_paid(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = rich(sandbox, client, "000555555559")
    payout = pay_out(client, account, 8_500)
    sandbox.advance(2 * DAY + 1)
    assert read(client, account, payout.id).status == "paid"
    sandbox.advance(2 * DAY + 1)

    assert read(client, account, payout.id).status == "failed"
    assert usd(sandbox, account) == (0, 8_500)
    kinds = [event.type for event in client.v1.events.list({"type": "payout.*"}, {"stripe_account": account}).data]
    assert kinds.index("payout.failed") < kinds.index("payout.paid")
    assert sandbox.money()["bank_deposits"] == {}


def test_only_a_pending_payout_can_be_canceled(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = rich(sandbox, client)
    first, second = pay_out(client, account, 1_000), pay_out(client, account, 2_000)
    client.v1.payouts.cancel(first.id, {}, {"stripe_account": account})
    sandbox.advance(DAY + 1)

    assert read(client, account, first.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payouts.cancel(second.id, {}, {"stripe_account": account})
    assert usd(sandbox, account) == (0, 6_500)


def test_a_daily_schedule_pays_out_by_itself(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    client.v1.balance_settings.update(
        {"payments": {"payouts": {"schedule": {"interval": "daily"}}}}, {"stripe_account": account}
    )
    transfer(client, account, 8_500, source_transaction=str(steps.pay(client, 10_000).latest_charge))
    sandbox.advance(2 * DAY)

    [payout] = client.v1.payouts.list({}, {"stripe_account": account}).data
    assert (payout.amount, payout.automatic) == (8_500, True)


def test_currencies_keep_their_own_minor_units(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    for currency, amount in (("jpy", 500), ("kwd", 5_000), ("eur", 500)):
        steps.pay(client, amount, currency=currency)

    balance = client.v1.balance.retrieve()
    assert {row.currency: row.amount for row in balance.pending} == {"jpy": 455, "kwd": 4_820, "eur": 455, "usd": 0}


def test_an_account_sells_in_its_own_name_only_when_it_may(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    own: Any = {"stripe_account": account}
    params: Any = {"amount": 1_000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(params, own)
    client.v1.accounts.update(account, {"capabilities": {"card_payments": {"requested": True}}})

    assert client.v1.payment_intents.create(params, own).status == "succeeded"
    assert (usd(sandbox, account), usd(sandbox)) == ((941, 0), (0, 0))


def test_an_authorization_is_let_go_by_cancelling_alone(client: stripe.StripeClient) -> None:
    intent = steps.pay(client, 2_000, capture_method="manual")

    with pytest.raises(stripe.InvalidRequestError, match="has not been captured"):
        client.v1.refunds.create({"charge": str(intent.latest_charge)})
    assert client.v1.payment_intents.cancel(intent.id).status == "canceled"
