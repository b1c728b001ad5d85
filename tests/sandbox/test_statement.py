"""The statement of an account: every kind of line, its source, its order and its pages."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.raw_requests import send
from tests.sandbox_process import ControlRefused, SandboxProcess

DAY = 86_400


def lines(client: stripe.StripeClient, account: str | None = None, **params: Any) -> list[Any]:
    """Return the whole statement of an account, newest first, with its sources."""
    own: Any = {"stripe_account": account} if account else {}
    asked: Any = {"limit": 100, "expand": ["data.source"], **params}
    return list(client.v1.balance_transactions.list(asked, own).auto_paging_iter())


def kinds(client: stripe.StripeClient, account: str | None = None) -> list[tuple[str, str, str | None, int]]:
    """Return type, category, kind of the source and net of each line, oldest first."""
    return [
        (line.type, line.reporting_category, line.source.object if line.source else None, line.net)
        for line in reversed(lines(client, account))
    ]


def test_every_line_of_the_platform_shows_its_source(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1, account = client.v1, steps.freelancer(sandbox, client)
    paid = steps.pay(client, 10_000, "pm_card_bypassPending")
    transfer = v1.transfers.create({"amount": 5_000, "currency": "usd", "destination": account})
    v1.transfers.reversals.create(transfer.id, {"amount": 1_000})
    refund = v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    sandbox.control("POST", f"refunds/{refund.id}/fail")
    sandbox.control("POST", "disputes", {"charge": paid.latest_charge, "amount": 200})
    payout = v1.payouts.create({"amount": 300, "currency": "usd"})
    v1.payouts.cancel(payout.id)
    sandbox.control("POST", f"payouts/{v1.payouts.create({'amount': 400, 'currency': 'usd'}).id}/fail")
    topup = v1.topups.create({"amount": 700, "currency": "usd"})
    sandbox.control("POST", f"topups/{topup.id}/settle")
    sandbox.control("POST", f"topups/{topup.id}/fail")
    sandbox.control("POST", "lines", {"amount": -250, "description": "Correction"})
    sandbox.control("POST", "lines", {"amount": -90, "type": "stripe_fee"})
    sandbox.control("POST", "lines", {"amount": -60, "type": "reserve_transaction"})

    assert kinds(client) == [
        ("charge", "charge", "charge", 9_680),
        ("transfer", "transfer", "transfer", -5_000),
        ("transfer_refund", "transfer_reversal", "transfer_reversal", 1_000),
        ("refund", "refund", "refund", -500),
        ("refund_failure", "refund_failure", "refund", 500),
        ("adjustment", "dispute", "dispute", -1_700),
        ("payout", "payout", "payout", -300),
        ("payout_cancel", "payout_reversal", "payout", 300),
        ("payout", "payout", "payout", -400),
        ("payout_failure", "payout_reversal", "payout", 400),
        ("topup", "topup", "topup", 700),
        ("topup_reversal", "topup_reversal", "topup", -700),
        ("adjustment", "other_adjustment", None, -250),
        ("stripe_fee", "fee", None, -90),
        ("reserve_transaction", "connect_reserved_funds", None, -60),
    ]
    balance = v1.balance.retrieve()
    assert [(row.amount, row.currency) for row in balance.available] == [(3_580, "usd")]
    assert [row.amount for row in balance.connect_reserved or []] == [60]
    assert set(sandbox.money()["sums"].values()) == {0}


def test_the_lines_of_a_payee_lead_to_the_transfer(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 10_000, "pm_card_bypassPending")
    transfer = client.v1.transfers.create({"amount": 5_000, "currency": "usd", "destination": account})
    reversal = client.v1.transfers.reversals.create(transfer.id, {"amount": 1_000})
    client.v1.payouts.create({"amount": 2_000, "currency": "usd"}, {"stripe_account": account})

    payout, returned, received = lines(client, account)
    assert (received.type, received.source.id[:3], received.source.source_transfer) == ("payment", "py_", transfer.id)
    assert (returned.type, returned.source.id[:4]) == ("payment_refund", "pyr_")
    assert returned.source.source_transfer_reversal == reversal.id
    assert (payout.type, payout.source.object) == ("payout", "payout")
    assert steps.usd(sandbox, account) == (0, 2_000)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_in_both_directions_meet(sandbox: SandboxProcess, client: stripe.StripeClient, limit: int) -> None:
    for amount in range(1, 8):
        sandbox.control("POST", "lines", {"amount": amount})
    v1 = client.v1
    newest_first = [line.amount for line in v1.balance_transactions.list({"limit": limit}).auto_paging_iter()]
    oldest = lines(client)[-1].id
    first = v1.balance_transactions.list({"limit": limit, "ending_before": oldest})

    # The page before an object is the one nearest to it, still newest first.
    assert [line.amount for line in first] == list(range(1 + min(limit, 6), 1, -1))
    assert first.has_more == (limit < 6)
    assert newest_first == [7, 6, 5, 4, 3, 2, 1]
    assert [line.amount for line in first.auto_paging_iter()] == [2, 3, 4, 5, 6, 7]


def test_lines_since_a_moment(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    sandbox.control("POST", "lines", {"amount": 1})
    sandbox.advance(DAY)
    moment = sandbox.control("POST", "lines", {"amount": 2})["created"]
    sandbox.advance(DAY)
    sandbox.control("POST", "lines", {"amount": 3})

    def since(**created: int) -> list[int]:
        params: Any = {"created": created}
        return [line.amount for line in client.v1.balance_transactions.list(params)]

    assert since(gte=moment) == [3, 2]
    assert since(gt=moment) == [3]
    assert since(lt=moment) == [1]
    assert since(lte=moment, gte=moment) == [2]
    assert [line.amount for line in client.v1.balance_transactions.list({"created": moment})] == [2]
    assert send(sandbox, "GET", "/v1/balance_transactions", {"created[since]": "1"}).status == 400


def test_the_order_is_that_of_the_moments(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    own: Any = {"stripe_account": account}
    client.v1.balance_settings.update({"payments": {"payouts": {"schedule": {"interval": "daily"}}}}, own)
    charge = str(steps.pay(client, 10_000).latest_charge)
    params: Any = {"amount": 5_000, "currency": "usd", "destination": account, "source_transaction": charge}
    client.v1.transfers.create(params)
    sandbox.advance(9 * DAY)
    sandbox.control("POST", "lines", {"amount": 5, "account": account})

    listed = lines(client, account)
    assert [line.type for line in listed] == ["adjustment", "payout", "payment"]
    assert [line.created for line in listed] == sorted((line.created for line in listed), reverse=True)


def test_an_adjustment_reaches_a_payee(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    line = sandbox.control("POST", "lines", {"amount": -120, "account": account, "description": "Wrong payout"})

    assert (line["source"], line["description"]) == (None, "Wrong payout")
    assert client.v1.balance.retrieve({}, {"stripe_account": account}).available[0].amount == -120
    assert client.v1.events.list({"type": "balance.available"}, {"stripe_account": account}).data
    for wrong in ({"amount": 0}, {"amount": 1.5}, {"amount": 1, "type": "gift"}, {"amount": 1, "currency": "xxx"}):
        with pytest.raises(ControlRefused, match="400"):
            sandbox.control("POST", "lines", wrong)


def test_a_top_up_is_the_platforms_own_money(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1, account = client.v1, steps.freelancer(sandbox, client)
    topup = v1.topups.create({"amount": 4_000, "currency": "usd", "metadata": {"why": "losses"}})
    dropped = v1.topups.create({"amount": 1_000, "currency": "usd"})

    assert (topup.status, topup.balance_transaction, steps.usd(sandbox)) == ("pending", None, (0, 0))
    assert v1.topups.cancel(dropped.id).status == "canceled"
    sandbox.advance(2 * DAY)
    [arrived] = v1.topups.list({"status": "succeeded"}).data
    assert (arrived.id, arrived.metadata["why"]) == (topup.id, "losses")
    assert (steps.usd(sandbox), sandbox.money()["top_ups"]) == (
        (0, 4_000),
        {sandbox.health()["platform"]: {"usd": 4_000}},
    )
    refused = send(sandbox, "POST", "/v1/topups", {"amount": "1", "currency": "usd"}, Stripe_Account=account)
    assert refused.status == 403
    with pytest.raises(stripe.InvalidRequestError):
        v1.topups.cancel(topup.id)
    named = {event.type for event in v1.events.list({"type": "topup.*"})}
    assert named == {"topup.created", "topup.canceled", "topup.succeeded"}


def test_the_platform_pays_itself_out(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    steps.pay(client, 5_000, "pm_card_bypassPending")
    payout = client.v1.payouts.create({"amount": 1_000, "currency": "usd"})
    sandbox.advance(3 * DAY)

    assert client.v1.payouts.retrieve(payout.id).status == "paid"
    assert sandbox.money()["bank_deposits"] == {sandbox.health()["platform"]: {"usd": 1_000}}
    # Its schedule is manual, so nothing else was paid out.
    assert steps.usd(sandbox) == (0, 3_825)


def test_an_automatic_payout_lists_what_it_paid_out(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    own: Any = {"stripe_account": account}
    client.v1.balance_settings.update({"payments": {"payouts": {"schedule": {"interval": "daily"}}}}, own)
    for amount in (2_000, 3_000):
        charge = str(steps.pay(client, 10_000).latest_charge)
        params: Any = {"amount": amount, "currency": "usd", "destination": account, "source_transaction": charge}
        client.v1.transfers.create(params)
        sandbox.advance(3 * DAY)
    second, first = client.v1.payouts.list({}, own).data

    def paid_out(payout: str) -> list[tuple[str, int]]:
        listed = client.v1.balance_transactions.list({"payout": payout}, own)
        return [(line.type, line.net) for line in listed]

    assert paid_out(first.id) == [("payout", -2_000), ("payment", 2_000)]
    assert paid_out(second.id) == [("payout", -3_000), ("payment", 3_000)]
    assert send(sandbox, "GET", "/v1/balance_transactions", {"payout": first.id}).status == 400
    steps.pay(client, 5_000, "pm_card_bypassPending")
    manual = client.v1.payouts.create({"amount": 1_000, "currency": "usd"}).id
    refused = send(sandbox, "GET", "/v1/balance_transactions", {"payout": manual})
    assert (refused.status, refused.error["param"]) == (400, "payout")
