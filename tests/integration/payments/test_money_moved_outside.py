"""Refunds after the release, money that moved without us, adjustments: who bears it, and the books.

Each test ends with the ledger's provider accounts equal to what the offline provider itself recorded.
"""

from typing import Any

import pytest
from pytest_django import Settings

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.errors import AmountTooLarge, Forbidden
from multitask.payments.funding import unapplied_payments
from multitask.payments.losses import adjustments, late_refunds, outside_reversals, write_offs
from multitask.payments.models import Approval, Chargeback, HistoryRow, Loss, Receivable, Refund, Reversal, Withdrawal
from multitask.payments.payouts import availability
from tests.integration.payments.losing import book, parts, purse, row, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close
from tests.payments_world import SETTLING, Job, World, dollars, held, user_id
from tests.payout_accounts import reject

__all__ = ["the_books_equal_the_providers"]


# -- refunds after the release


def refund_late(world: World, job: Job, **more: Any) -> Refund:
    actor = more.pop("actor", None) or job.freelancer
    more.setdefault("amount", None)
    made = late_refunds.refund(actor=actor, escrow_id=job.escrow.pk, reason="agreed", now=world.now, **more)
    assert isinstance(made, Refund)
    world.work()
    return world.learn_of_refund(made)


def test_the_payee_returns_what_was_released(world: World) -> None:
    job = world.released()
    assert refund_late(world, job).state == "succeeded"
    assert purse(world, job) == (0, 0, 0)
    assert held("platform:fees") == 0
    assert row(user_id(job.freelancer), f"refund:{job.refund.pk}:share") == ("completed", "out", 8_500)
    assert world.wallet(job.client).lifetime_spent.amount_minor == 0


def test_staff_refunds_a_part_after_the_release(world: World) -> None:
    job = world.settled()
    refund_late(world, job, actor=world.staff(), amount=dollars("40.00"))
    assert purse(world, job) == (0, 5_100, 0)
    refund_late(world, job, actor=world.staff(), amount=dollars("60.00"))
    assert purse(world, job) == (0, 0, 0)
    assert (held("platform:fees"), job.escrow.returned_minor) == (0, 10_000)


def test_the_payee_cannot_return_what_is_neither_theirs_nor_may_be_owed(world: World, settings: Settings) -> None:
    settings.RECEIVABLE_LIMIT_MINOR = 1_000
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    with pytest.raises(AmountTooLarge):
        refund_late(world, job)
    with pytest.raises(Forbidden):
        refund_late(world, job, actor=job.client)


def test_a_refund_after_the_release_that_fails_is_given_up(world: World) -> None:
    job = world.released()
    refund = refund_late(world, job)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    assert world.learn_of_refund(refund).holds_money
    late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    world.work()
    assert purse(world, job) == (8_500, 0, 0)
    assert held("platform:fees") == 1_500


# -- money that moved without us


def refunded_in_the_dashboard(world: World, job: Job, amount: int) -> None:
    payment = str(job.payment.provider_payment_id)
    world.at_provider("refunds", payment_intent=payment, amount=str(amount))
    world.hear()


def test_a_refund_in_the_dashboard_leaves_less_to_release(world: World) -> None:
    job = world.completed()
    refunded_in_the_dashboard(world, job, 4_000)
    assert (job.refund.is_outside, job.refund.state) == (True, "succeeded")
    assert job.escrow.remaining == dollars("60.00")
    world.release(job)
    world.work()
    assert purse(world, job) == (5_100, 0, 0)


def test_a_whole_refund_in_the_dashboard_closes_the_escrow(world: World) -> None:
    job = world.started()
    world.refund(job)
    refunded_in_the_dashboard(world, job, 10_000)
    assert (job.escrow.state, job.task.status) == ("refunded", "cancelled")
    assert sorted(job.escrow.refunds.values_list("state", flat=True)) == ["succeeded", "withdrawn"]


def test_a_refund_in_the_dashboard_after_the_release_is_borne_by_the_waterfall(world: World) -> None:
    job = world.settled()
    refunded_in_the_dashboard(world, job, 5_000)
    world.work()
    assert parts(Loss.objects.get()) == (0, 4_250, 750, 0, 0)
    assert purse(world, job) == (0, 4_250, 0)


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_reversal_in_the_dashboard_is_held_until_it_is_transferred_again(world: World, is_settled: bool) -> None:
    job = world.settled() if is_settled else world.released()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    assert purse(world, job) == ((0, 3_500, 0) if is_settled else (3_500, 0, 0))
    reversal = Reversal.objects.get()
    assert (reversal.is_outside, reversal.is_decided) == (True, False)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()
    assert purse(world, job) == ((0, 8_500, 0) if is_settled else (8_500, 0, 0))


def test_a_reversal_in_the_dashboard_can_become_a_refund(world: World) -> None:
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
    world.hear()
    outside_reversals.refund_client(actor=world.staff(), reversal_id=Reversal.objects.get().pk, now=world.now)
    world.work()
    assert job.refund.amount == dollars("100.00")
    assert world.learn_of_refund(job.refund).state == "succeeded"
    assert (purse(world, job), Reversal.objects.count()) == ((0, 0, 0), 1)


def test_a_share_of_which_nothing_is_left_does_not_wait_for_a_rejected_account(world: World) -> None:
    job = world.released()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
    world.hear()
    reject(world, job.freelancer)
    outside_reversals.refund_client(actor=world.staff(), reversal_id=Reversal.objects.get().pk, now=world.now)
    world.work()
    world.learn_of_refund(job.refund)
    world.wait(SETTLING)
    assert availability.due(now=world.now) == [job.escrow.pk]
    assert availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert purse(world, job) == (0, 0, 0)


def paid_out_in_the_account(world: World, job: Job, amount: int) -> Withdrawal:
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount=str(amount), currency="usd")
    world.hear()
    return Withdrawal.objects.latest("pk")


def test_a_payout_that_the_payee_made_at_the_provider_is_booked(world: World) -> None:
    job = world.settled()
    withdrawal = paid_out_in_the_account(world, job, 3_000)
    assert (withdrawal.is_outside, purse(world, job)) == (True, (0, 5_500, 3_000))
    world.arrive(withdrawal)
    assert purse(world, job) == (0, 5_500, 0)
    assert row(user_id(job.freelancer), f"withdrawal:{withdrawal.pk}") == ("completed", "out", 3_000)


def test_a_payout_of_money_that_was_not_available_here_is_netted_when_it_is(world: World) -> None:
    job = world.released()
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    withdrawal = world.arrive(paid_out_in_the_account(world, job, 3_000))
    assert (withdrawal.ahead_minor, purse(world, job)) == (3_000, (8_500, 0, 0))
    world.wait(SETTLING)
    availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert purse(world, job) == (0, 5_500, 0)
    assert held(f"user:{user_id(job.freelancer)}:paid_ahead") == 0


def test_a_charge_that_settles_in_another_currency_goes_to_review_and_back(world: World) -> None:
    world.sandbox.control("POST", "accounts/platform/settlement", {"eur": {"currency": "usd", "rate": "1.10"}})
    try:
        job = world.hired(Money(10_000, "EUR"))
        world.ask_to_pay(job)
        world.pay(job)
        world.learn_of_payment(job)
        assert (job.payment.state, job.payment.review_reason) == ("review", "other_currency")
        assert (job.escrow.state, held(f"unapplied:{job.payment.pk}")) == ("pending_payment", 11_000)
        world.sandbox.control("POST", "accounts/platform/settlement", {"eur": {"currency": "usd", "rate": "1.20"}})
        refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
        assert isinstance(refund, Refund)
        assert refund.amount == Money(10_000, "EUR")
        world.work()
        assert world.learn_of_refund(refund).state == "succeeded"
        assert (held(f"unapplied:{job.payment.pk}"), held("platform:exchange")) == (0, -1_000)
    finally:
        world.sandbox.control("POST", "accounts/platform/settlement", {})


def reviewed(world: World) -> Job:
    """Less arrived than was asked for: 90 dollars, which fit no escrow."""
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.learn_of_payment(job)
    return job


def test_a_part_of_an_unapplied_payment_is_refunded_in_the_dashboard_and_the_rest_here(world: World) -> None:
    job = reviewed(world)
    refunded_in_the_dashboard(world, job, 4_000)
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}")) == ("review", 5_000)
    refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(refund, Refund)
    world.work()
    assert world.learn_of_refund(refund).amount == dollars("50.00")
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}")) == ("returned", 0)


def test_a_part_of_an_unapplied_payment_is_charged_back(world: World) -> None:
    job = reviewed(world)
    made = world.sandbox.control("POST", "disputes", {"charge": job.payment.provider_collection_id, "amount": 4_000})
    close(world, made["id"], "lost")
    loss = book(world, Chargeback.objects.get())
    assert (loss.escrow_minor, job.escrow.frozen_at) == (4_000, None)
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}")) == ("review", 5_000)
    close(world, made["id"], "won")
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}")) == ("review", 9_000)


# -- adjustments and write-offs


def approve(world: World, asked: Approval) -> None:
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()


def test_an_adjustment_in_favour_is_transferred_and_becomes_available(world: World) -> None:
    job = world.settled()
    world.give_the_platform_money()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("5.00"), note="Our mistake", now=world.now
    )
    assert purse(world, job) == (0, 8_500, 0)
    approve(world, asked)
    assert purse(world, job) == (500, 8_500, 0)
    world.wait(hours=30)
    for adjustment_id in adjustments.due(now=world.now):
        adjustments.make_available(adjustment_id=adjustment_id, now=world.now)
    assert purse(world, job) == (0, 9_000, 0)
    assert HistoryRow.objects.filter(type="adjustment", direction="in", amount_minor=500).exists()


def test_an_adjustment_against_somebody_is_owed_and_can_be_written_off(world: World) -> None:
    job = world.settled()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("-5.00"), note="Paid twice", now=world.now
    )
    approve(world, asked)
    receivable = Receivable.objects.get()
    assert receivable.owed == dollars("5.00")
    assert write_offs.ageing(now=world.now)[0].total == dollars("5.00")
    approve(
        world, write_offs.write_off(actor=world.staff(), receivable_id=receivable.pk, note="Too old", now=world.now)
    )
    assert held(f"user:{user_id(job.freelancer)}:receivable") == 0
    assert held("platform:losses") == -500
