"""Chargebacks that are lost, refunds after the release, and money that moved without us: who bears it, and the books.

Each test ends with the ledger's provider accounts equal to what the offline provider itself recorded.
"""

import pytest
from pytest_django import Settings

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, WrongState
from multitask.payments.losses import adjustments, booking
from multitask.payments.models import Approval, Chargeback, Loss, Receivable, Reversal
from tests.integration.payments.losing import book, lost, parts, purse, row, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.payments_world import World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


# -- chargebacks


def test_a_chargeback_lost_before_the_release_takes_the_escrow(world: World) -> None:
    job = world.started()
    chargeback = lost(world, job)
    assert (chargeback.taken_minor, chargeback.fee_minor) == (10_000, 1_500)
    assert held(f"chargeback:{chargeback.pk}") == -10_000
    loss = book(world, chargeback)
    assert parts(loss) == (10_000, 0, 0, 0, 0)
    assert (job.escrow.state, job.escrow.frozen_at, job.task.status) == ("charged_back", None, "cancelled")
    assert held(f"escrow:{job.escrow.pk}") == held(f"chargeback:{chargeback.pk}") == 0
    assert held("platform:dispute_fees") == -1_500
    assert row(user_id(job.client), f"chargeback:{chargeback.pk}") == ("completed", "in", 10_000)
    assert world.wallet(job.client).lifetime_spent.amount_minor == 0


def test_a_chargeback_lost_after_the_release_takes_the_share_back_from_the_account(world: World) -> None:
    job = world.released()
    other = world.settled(freelancer=job.freelancer)
    chargeback = lost(world, job)
    assert purse(world, job) == (0, 8_500, 0)
    assert held(f"contested:{job.escrow.pk}") == 8_500
    loss = book(world, chargeback)
    assert parts(loss) == (0, 8_500, 1_500, 0, 0)
    assert purse(world, job) == (0, 8_500, 0)
    assert Reversal.objects.get().state == "succeeded"
    assert job.escrow.state == other.escrow.state == "released"
    assert row(user_id(job.freelancer), f"chargeback:{chargeback.pk}") == ("completed", "out", 8_500)
    assert world.wallet(job.freelancer).lifetime_earnings.amount_minor == 8_500


def test_a_chargeback_lost_before_the_transfer_was_sent_sends_nothing(world: World) -> None:
    job = world.completed()
    world.release(job)
    book(world, lost(world, job))
    world.work()
    assert (job.transfer.state, job.transfer.last_error_code) == ("failed", "taken_back")
    assert not Reversal.objects.exists()
    assert purse(world, job) == (0, 0, 0)


def test_a_chargeback_of_a_part_before_the_transfer_was_sent_sends_the_rest(world: World) -> None:
    job = world.completed()
    world.release(job)
    loss = book(world, lost(world, job, amount=4_000))
    assert parts(loss) == (0, 3_400, 600, 0, 0)
    world.work()
    assert (job.transfer.sequence, job.transfer.state) == (2, "succeeded")
    assert purse(world, job) == (5_100, 0, 0)


def test_a_chargeback_lost_after_the_payout_is_owed_up_to_the_limit(world: World, settings: Settings) -> None:
    settings.RECEIVABLE_LIMIT_MINOR = 6_000
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    loss = book(world, lost(world, job))
    assert parts(loss) == (0, 0, 1_500, 6_000, 2_500)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == -6_000
    assert held("platform:losses") == -2_500


def test_what_is_owed_is_netted_from_later_releases(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    book(world, lost(world, job))
    assert Receivable.objects.get().owed == dollars("85.00")
    later = world.released(dollars("60.00"), freelancer=job.freelancer)
    assert (later.escrow.netted_minor, sum(purse(world, later))) == (5_100, 0)
    last = world.released(dollars("100.00"), freelancer=job.freelancer)
    assert (last.escrow.netted_minor, sum(purse(world, last))) == (3_400, 5_100)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == 0


def test_a_chargeback_after_a_partial_refund_takes_the_rest(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer, dollars("30.00"))
    world.work()
    chargeback = lost(world, job, amount=7_000)
    assert parts(book(world, chargeback)) == (7_000, 0, 0, 0, 0)
    assert job.escrow.state == "charged_back"


def test_a_part_of_an_escrow_is_charged_back_and_the_rest_released(world: World) -> None:
    job = world.completed()
    book(world, lost(world, job, amount=4_000))
    assert (job.escrow.state, job.escrow.remaining) == ("funded", dollars("60.00"))
    world.release(job)
    world.work()
    assert purse(world, job) == (5_100, 0, 0)


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_chargeback_that_is_won_gives_the_share_back(world: World, is_settled: bool) -> None:
    job = world.settled() if is_settled else world.released()
    dispute = contest(world, job)
    chargeback = Chargeback.objects.get()
    assert purse(world, job) == (0, 0, 0)
    close(world, dispute, "won")
    assert purse(world, job) == ((0, 8_500, 0) if is_settled else (8_500, 0, 0))
    assert row(user_id(job.client), f"chargeback:{chargeback.pk}")[0] == "cancelled"
    assert held(f"chargeback:{chargeback.pk}") == 0


def test_a_chargeback_that_was_lost_and_is_won_later_restores_everybody(world: World) -> None:
    job = world.settled()
    chargeback = lost(world, job)
    book(world, chargeback)
    assert purse(world, job) == (0, 0, 0)
    close(world, chargeback.provider_dispute_id, "won")
    world.work()
    assert Loss.objects.get().reversed_at == world.now
    assert purse(world, job) == (0, 8_500, 0)
    assert held("platform:fees") == 1_500
    assert (job.escrow.returned_minor, job.escrow.contested_minor) == (0, 0)


def test_a_loss_of_an_escrow_that_is_won_later_funds_it_again(world: World) -> None:
    job = world.completed()
    chargeback = lost(world, job)
    book(world, chargeback)
    close(world, chargeback.provider_dispute_id, "won")
    assert (job.escrow.state, held(f"escrow:{job.escrow.pk}")) == ("funded", 10_000)


def test_a_receivable_that_was_recovered_goes_back_when_the_loss_does_not_last(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    chargeback = lost(world, job)
    book(world, chargeback)
    world.released(dollars("60.00"), freelancer=job.freelancer)
    close(world, chargeback.provider_dispute_id, "won")
    world.give_the_platform_money()
    world.work()
    assert purse(world, job) == (5_100, 0, 0)
    world.wait(hours=30)
    for adjustment_id in adjustments.due(now=world.now):
        adjustments.make_available(adjustment_id=adjustment_id, now=world.now)
    assert purse(world, job) == (0, 5_100, 0)


def test_a_loss_is_booked_once_and_only_when_it_is_lost(world: World) -> None:
    job = world.started()
    dispute = contest(world, job)
    chargeback = Chargeback.objects.get()
    with pytest.raises(WrongState):
        booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    close(world, dispute, "lost")
    with pytest.raises(Forbidden):
        booking.book(actor=world.staff("support"), chargeback_id=chargeback.pk, now=world.now)
    first = book(world, chargeback)
    assert book(world, chargeback).pk == first.pk
    learn(world, dispute)
    assert Loss.objects.count() == 1


def test_a_large_loss_needs_a_second_person(world: World) -> None:
    job = world.started(dollars("2000.00"))
    chargeback = lost(world, job)
    asked = booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    assert isinstance(asked, Approval)
    assert not Loss.objects.exists()
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    assert Loss.objects.get().escrow_minor == 200_000
