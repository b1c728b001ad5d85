"""Losses, refunds after the release, withdrawals and write-offs of the same money at once."""

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.losses import adjustments, late_refunds, write_offs
from multitask.payments.models import (
    Adjustment,
    AdjustmentReversal,
    HistoryRow,
    Loss,
    Operation,
    Receivable,
    Withdrawal,
)
from multitask.payments.operations import engine
from multitask.payments.payouts import onboarding
from tests.integration.payments.losing import book, lost
from tests.integration.races import together
from tests.payments_world import World, dollars, held, user_id

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_adjustment_of_unknown_outcome_is_not_sent_again_to_a_successor(world: World) -> None:
    job = world.released()
    world.give_the_platform_money()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="Ours", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.work()
    operation = Operation.objects.get(kind="transfer_adjustment")
    assert operation.state == "unknown"

    former = world.account(job.freelancer)
    world.sandbox.control("POST", f"accounts/{former.provider_account_id}", {"disabled_reason": "rejected.other"})
    onboarding.confirm("stripe", world.provider.read_account(str(former.provider_account_id)), world.now)
    successor = world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    onboarding.confirm("stripe", world.provider.read_account(str(successor.provider_account_id)), world.now)
    for _ in range(6):
        world.wait(minutes=30)
        engine.perform(operation.pk, now=world.now)

    operation.refresh_from_db()
    assert operation.state == "succeeded"
    assert len(world.made("transfer", operation.reference)) == 1


def test_a_reversal_of_an_adjustment_and_a_withdrawal_at_once_take_the_same_money_once(world: World) -> None:
    job = world.settled()
    world.give_the_platform_money()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="Ours", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    adjustments.make_available(adjustment_id=Adjustment.objects.get().pk, now=world.now)
    transfer = Operation.objects.get(kind="transfer_adjustment")
    world.at_provider(f"transfers/{transfer.provider_reference}/reversals")
    state = world.provider.read_transfer(transfer.provider_reference)

    def learn() -> None:
        adjustments.confirm("stripe", state, world.now)

    answers = together([learn, learn, learn, lambda: world.withdraw(job.freelancer, dollars("135.00"))])

    assert answers[:3] == [None, None, None]
    assert (
        AdjustmentReversal.objects.count() == HistoryRow.objects.filter(reference__contains=":reversed:").count() == 1
    )
    ahead = -held(f"user:{user_id(job.freelancer)}:paid_ahead")
    assert held(f"user:{user_id(job.freelancer)}:available") in {0, 8_500}
    assert ahead == (5_000 if Withdrawal.objects.exists() else 0)


def test_six_refunds_of_everything_at_once_make_one_loss(world: World) -> None:
    job = world.settled()

    def refund() -> object:
        return late_refunds.refund(
            actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
        )

    together([refund] * 6)
    world.work()
    assert Loss.objects.count() == 1
    assert (held(f"user:{user_id(job.freelancer)}:available"), job.escrow.returned_minor) == (0, 10_000)


def test_what_refunds_and_withdrawals_take_at_once_adds_up(world: World) -> None:
    job = world.settled()
    other = world.settled(freelancer=job.freelancer)
    staff = world.staff()
    together(
        [
            lambda: late_refunds.refund(
                actor=staff, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
            ),
            lambda: late_refunds.refund(
                actor=staff, escrow_id=other.escrow.pk, amount=None, reason="agreed", now=world.now
            ),
            *[lambda: world.withdraw(job.freelancer, dollars("60.00"))] * 3,
        ]
    )
    world.work()
    assert sum(loss.payee_minor + loss.receivable_minor for loss in Loss.objects.all()) == 17_000


def test_a_debt_is_written_off_or_netted_never_both(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    book(world, lost(world, job))
    receivable = Receivable.objects.get()
    asked = write_offs.write_off(actor=world.staff(), receivable_id=receivable.pk, now=world.now, note="Too old")
    later, second = world.completed(freelancer=job.freelancer), world.staff()
    together(
        [
            lambda: approvals.decide(actor=second, approval_id=asked.pk, approve=True, now=world.now),
            lambda: world.release(later),
        ]
    )
    world.work()
    receivable.refresh_from_db()
    assert receivable.recovered_minor + receivable.written_off_minor == 8_500
