"""Losses beside other things: undecided reversals, adjustments, refund requests, debts of the staff."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_django import Settings

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden
from multitask.payments.losses import outside_reversals, write_offs
from multitask.payments.models import Loss, Payment, Receivable, Reversal
from multitask.payments.payouts import reversals, transfer_retries
from multitask.users.actor import Assurance, Role
from tests.integration.payments.losing import book, lost, parts, purse
from tests.integration.payments.test_money_moved_outside import refund_late
from tests.payments_world import SETTLED_AT_ONCE, World, dollars, held, user_id


def reversed_in_the_dashboard(world, job, amount=None) -> Reversal:
    more = {} if amount is None else {"amount": str(amount)}
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", **more)
    world.hear()
    return Reversal.objects.latest("pk")


def test_a_loss_takes_what_an_undecided_reversal_holds(world: World, settings: Settings) -> None:
    settings.RECEIVABLE_LIMIT_MINOR = 1_000
    job = world.settled()
    reversed_in_the_dashboard(world, job)
    assert held(f"contested:{job.escrow.pk}") == 8_500
    loss = book(world, lost(world, job))
    assert parts(loss) == (0, 8_500, 1_500, 0, 0)


def test_freed_money_pays_what_was_paid_out_ahead(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    other = world.completed(freelancer=job.freelancer)
    Payment.objects.filter(pk=other.payment.pk).update(available_at=world.now + timedelta(days=5))
    world.release(other)
    world.work()
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
    reversals.confirm("stripe", world.provider.read_transfer(job.transfer.provider_reference), world.now)
    reversal = Reversal.objects.get()
    user = user_id(job.freelancer)
    assert held(f"user:{user}:paid_ahead") == -8_500
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()
    assert purse(world, other) == (8_500, 0, 0), "what was paid out once is available again"
    assert held(f"user:{user}:paid_ahead") == 0


def test_retry_of_a_refused_transfer_leaves_undecided_money(world: World) -> None:
    job = world.settled()
    first = reversed_in_the_dashboard(world, job, 3_000)
    second = reversed_in_the_dashboard(world, job, 5_500)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=first.pk, now=world.now)
    from multitask.payments.models import Operation

    Operation.objects.filter(pk=job.transfer.pk).update(state="failed", next_attempt_at=None)
    transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    world.work()
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=second.pk, now=world.now)
    world.work()
    assert held(f"contested:{job.escrow.pk}") == 0


def owing(world: World):
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    book(world, lost(world, job))
    return job, Receivable.objects.get()


def test_staff_writes_off_their_own_debt(world: World) -> None:
    job, receivable = owing(world)
    me = replace(job.freelancer, role=Role.FINANCE, assurance=Assurance.FRESH)
    with pytest.raises(Forbidden):
        write_offs.write_off(actor=me, receivable_id=receivable.pk, now=world.now, note="x")


def test_staff_approves_the_write_off_of_their_own_debt(world: World) -> None:
    job, receivable = owing(world)
    me, other = replace(job.freelancer, role=Role.FINANCE, assurance=Assurance.FRESH), world.staff()
    asked = write_offs.write_off(actor=other, receivable_id=receivable.pk, now=world.now, note="x")
    with pytest.raises(Forbidden):
        approvals.decide(actor=me, approval_id=asked.pk, approve=True, now=world.now)


def test_a_payee_adjusted_by_staff_of_two_roles_is_refused(world: World) -> None:
    from multitask.payments.losses import adjustments

    job = world.settled()
    me = replace(job.freelancer, role=Role.FINANCE, assurance=Assurance.FRESH)
    with pytest.raises(Forbidden):
        adjustments.adjust(actor=me, user_id=user_id(me), amount=dollars("1.00"), note="x", now=world.now)


def test_adjusted_money_does_not_count_as_the_escrows(world: World, settings: Settings) -> None:
    from multitask.payments.losses import adjustments

    settings.RECEIVABLE_LIMIT_MINOR = 1_000
    job = world.settled()
    world.funded(dollars("5000.00"), card=SETTLED_AT_ONCE)
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="x", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    world.wait(hours=30)
    for pk in adjustments.due(now=world.now):
        adjustments.make_available(adjustment_id=pk, now=world.now)
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    assert purse(world, job) == (0, 13_500, 0)
    world.arrive(world.withdrawn(job.freelancer, dollars("50.00")))
    assert purse(world, job) == (0, 8_500, 0)
    refund_late(world, job, actor=world.staff())
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
