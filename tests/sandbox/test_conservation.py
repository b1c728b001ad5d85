"""Random requests in any order: no money appears or disappears, and none causes a server error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox import steps as scenes
from tests.sandbox.conftest import sdk
from tests.sandbox_process import SandboxProcess

CARDS = ("pm_card_visa", "pm_card_bypassPending", "pm_card_chargeDeclined", "pm_card_refundFail",
         "pm_card_pendingRefund", "pm_card_createDispute", "pm_card_createDisputeInquiry")  # fmt: skip
BANKS = ("000123456789", "000111111116", "000555555559")
STEP = st.tuples(
    st.sampled_from(
        [
            "pay",
            "transfer",
            "send",
            "refund",
            "reverse",
            "payout",
            "cancel",
            "answer",
            "advance",
            "topup",
            "line",
            "own",
        ]
    ),
    st.integers(0, 30),
    st.integers(50, 20_000),
)


class Market:
    """Takes random steps and keeps what they made."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.client = sdk(sandbox)
        self.accounts = [scenes.freelancer(sandbox, self.client, account_number=number) for number in BANKS]
        self.made: dict[str, list[Any]] = {"pay": [], "transfer": [], "payout": []}

    def take(self, step: str, pick: int, amount: int) -> None:
        """Take one step; a refusal of Stripe's is fine, anything else is not."""
        try:
            made = getattr(self, f"_{step}")(pick, amount)
        except (stripe.InvalidRequestError, stripe.CardError):
            return
        if step in self.made:
            self.made[step].append(made)
        if step == "send":
            self.made["transfer"].append(made)

    def _pay(self, pick: int, amount: int) -> Any:
        # Euros settle in dollars, at a rate that changes.
        rules = {"eur": {"currency": "usd", "rate": f"1.{pick:02}"}}
        self.sandbox.control("POST", "accounts/platform/settlement", rules)
        return scenes.pay(self.client, amount, CARDS[pick % len(CARDS)], currency=("usd", "eur")[pick // 7 % 2])

    def _chosen(self, kind: str, pick: int) -> Any:
        if not self.made[kind]:
            raise stripe.InvalidRequestError("nothing yet", None)  # type: ignore[no-untyped-call]
        return self.made[kind][pick % len(self.made[kind])]

    def _transfer(self, pick: int, amount: int) -> Any:
        charge = self._chosen("pay", pick).latest_charge
        return self._send(pick, amount, source_transaction=charge)

    def _send(self, pick: int, amount: int, **more: Any) -> Any:
        account = self.accounts[pick % len(self.accounts)]
        params: Any = {"amount": amount, "currency": "usd", "destination": account, **more}
        return self.client.v1.transfers.create(params)

    def _refund(self, pick: int, amount: int) -> Any:
        return self.client.v1.refunds.create({"payment_intent": self._chosen("pay", pick).id, "amount": amount})

    def _reverse(self, pick: int, amount: int) -> Any:
        return self.client.v1.transfers.reversals.create(self._chosen("transfer", pick).id, {"amount": amount})

    def _payout(self, pick: int, amount: int) -> Any:
        own: Any = {"stripe_account": self.accounts[pick % len(self.accounts)]}
        return self.client.v1.payouts.create({"amount": amount, "currency": "usd"}, own), own

    def _cancel(self, pick: int, _amount: int) -> Any:
        payout, own = self._chosen("payout", pick)
        return self.client.v1.payouts.cancel(payout.id, {}, own)

    def _answer(self, pick: int, _amount: int) -> Any:
        for dispute in self.client.v1.disputes.list().data[:1]:
            text = "winning_evidence" if pick % 2 else "losing_evidence"
            self.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})

    def _topup(self, _pick: int, amount: int) -> Any:
        return self.client.v1.topups.create({"amount": amount, "currency": "usd"})

    def _line(self, pick: int, amount: int) -> Any:
        kind = ("adjustment", "stripe_fee", "reserve_transaction")[pick % 3]
        return self.sandbox.control("POST", "lines", {"type": kind, "amount": amount if pick % 2 else -amount})

    def _own(self, _pick: int, amount: int) -> Any:
        return self.client.v1.payouts.create({"amount": amount, "currency": "usd"})

    def _advance(self, pick: int, _amount: int) -> Any:
        self.sandbox.advance(pick * 6 * 3600)

    def check(self) -> None:
        """Every sum must agree with every other."""
        money = self.sandbox.money()
        assert set(money["sums"].values()) <= {0}
        nothing = {"charged": 0, "refunded": 0}
        for currency in ("usd", "eur"):
            held = sum(sums.get(currency, 0) for columns in money["accounts"].values() for sums in columns.values())
            banks = sum(sums.get(currency, 0) for sums in money["bank_deposits"].values())
            stripes = sum(sums.get(currency, 0) for sums in money["stripe"].values())
            topped_up = sum(sums.get(currency, 0) for sums in money["top_ups"].values())
            cards = [card.get(currency, nothing) for card in money["cards"].values()]
            paid = sum(card["charged"] - card["refunded"] for card in cards)
            assert paid + topped_up == held + banks + stripes
        assert not any(sums.get("eur") for columns in money["accounts"].values() for sums in columns.values())
        self._check_balances(money)

    def _check_balances(self, money: Any) -> None:
        for account in [money["platform"], *self.accounts]:
            own: Any = {} if account == money["platform"] else {"stripe_account": account}
            balance = self.client.v1.balance.retrieve({}, own)
            listed = list(self.client.v1.balance_transactions.list({"limit": 100}, own).auto_paging_iter())
            for column, status in ((balance.available, "available"), (balance.pending, "pending")):
                told = sum(row.amount for row in column if row.currency == "usd")
                assert told == sum(row.net for row in listed if row.status == status)
            assert account == money["platform"] or balance.available[0].amount >= 0


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(STEP, min_size=5, max_size=40))
def test_money_is_conserved(running: SandboxProcess, steps: list[tuple[str, int, int]]) -> None:
    running.reset()
    market = Market(running)
    for step in steps:
        market.take(*step)
    market.check()
    running.advance(20 * 86_400)
    market.check()


AT_ONCE = 50


def successes(call: Callable[[], Any]) -> int:
    """Make one call from many threads at once; return how many were not refused."""

    def attempt(_: int) -> bool:
        try:
            call()
        except (stripe.InvalidRequestError, stripe.CardError):
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(attempt, range(AT_ONCE)))


@pytest.mark.parametrize(("card", "limit"), [("pm_card_visa", 8), ("pm_card_bypassPending", 7)])
def test_many_at_once_move_no_more_than_there_is(sandbox: SandboxProcess, card: str, limit: int) -> None:
    market = Market(sandbox)
    v1, account = market.client.v1, market.accounts[0]
    own: Any = {"stripe_account": account}
    intent = v1.payment_intents.create({"amount": 8_000, "currency": "usd"})

    assert successes(lambda: v1.payment_intents.confirm(intent.id, {"payment_method": card})) == 1
    charge = str(v1.payment_intents.retrieve(intent.id).latest_charge)
    params: Any = {"amount": 1_000, "currency": "usd", "destination": account, "source_transaction": charge}
    # Funds that have settled are Stripe's fee less than the charge, which is the limit before.
    assert successes(lambda: v1.transfers.create(params)) == limit
    [first, *_] = v1.transfers.list().data
    assert successes(lambda: v1.transfers.reversals.create(first.id, {"amount": 500})) == 2
    refunds: Any = {"charge": charge, "amount": 3_000}
    assert successes(lambda: v1.refunds.create(refunds)) == 2
    sandbox.advance(3 * 86_400)
    payouts: Any = {"amount": 1_000, "currency": "usd"}
    assert successes(lambda: v1.payouts.create(payouts, own)) == limit - 1
    market.check()
