"""Losses that took all that was in escrow and do not last: the work is where it was, and both sides have their say."""

from datetime import timedelta

import pytest

from multitask.marketplace import work
from multitask.payments.escrow import auto_release, disputes, permitted_actions, stranded
from multitask.payments.models import Chargeback, Dispute
from tests.integration.payments.losing import book, lost, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close
from tests.integration.payments.test_losses_undone import refunded
from tests.payments_world import Job, World, dollars, held

__all__ = ["the_books_equal_the_providers"]


def won_after_all(world: World, chargeback: Chargeback) -> None:
    """The bank gives back what it kept, some days after finance booked the loss."""
    world.wait(days=3)
    close(world, chargeback.provider_dispute_id, "won")
    world.work()


def lost_and_won(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    book(world, chargeback)
    assert (job.escrow.state, stranded.found().count()) == ("charged_back", 0)
    won_after_all(world, chargeback)


def test_delivered_work_is_delivered_again_and_the_client_has_to_ask(world: World) -> None:
    job = world.delivered()
    lost_and_won(world, job)
    assert (job.escrow.state, job.escrow.milestone.state, job.task.status) == ("funded", "delivered", "delivered")
    assert not stranded.found().exists()
    assert permitted_actions.allowed(job.client, job.escrow) == ["complete", "request_refund", "dispute"]
    assert permitted_actions.allowed(job.freelancer, job.escrow) == ["refund", "dispute"]
    assert world.refund(job).state == "requested"
    assert held(f"escrow:{job.escrow.pk}") == 10_000


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_silence_begins_anew_and_pays_delivered_work(world: World, is_confirmed: bool) -> None:
    job = world.completed() if is_confirmed else world.delivered()
    lost_and_won(world, job)
    days = timedelta(days=job.escrow.auto_release_days)
    assert job.escrow.auto_release_at == world.now + days
    world.wait(days - timedelta(minutes=1))
    assert auto_release.due(now=world.now) == []
    world.wait(minutes=2)
    assert auto_release.release(escrow_id=job.escrow.pk, now=world.now)
    assert (job.escrow.state, job.escrow.milestone.state) == ("released", "completed")


@pytest.mark.parametrize(("begin", "state"), [("funded", "funded"), ("started", "started")])
def test_work_that_was_not_delivered_goes_on(world: World, begin: str, state: str) -> None:
    job = getattr(world, begin)()
    lost_and_won(world, job)
    assert (job.escrow.milestone.state, job.escrow.auto_release_at) == (state, None)
    work.deliver(actor=job.freelancer, task_id=job.task.pk, now=world.now)
    assert (job.escrow.milestone.state, world.refund(job).state) == ("delivered", "requested")


def test_work_that_was_called_off_stays_called_off(world: World) -> None:
    job = world.started()
    work.cancel(actor=job.freelancer, task_id=job.task.pk, now=world.now)
    lost_and_won(world, job)
    assert (job.escrow.state, job.escrow.milestone.state) == ("funded", "cancelled")
    assert world.refund(job).state == "pending"


def test_a_dispute_that_the_loss_ended_is_open_again(world: World) -> None:
    job = world.delivered()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    lost_and_won(world, job)
    dispute = Dispute.objects.get()
    assert (job.escrow.state, dispute.state, dispute.settled_at) == ("disputed", "open", None)
    assert job.history()[-1] != "task_cancelled"
    assert permitted_actions.allowed(job.client, job.escrow) == []
    disputes.settle(
        actor=world.staff(),
        dispute_id=dispute.pk,
        client_amount=dollars("40.00"),
        freelancer_amount=dollars("60.00"),
        now=world.now,
    )
    assert job.escrow.state == "released"


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_losses_either_may_not_last(world: World, first: int) -> None:
    job = world.delivered()
    chargebacks = [lost(world, job, amount=4_000)]
    book(world, chargebacks[0])
    chargebacks.append(lost(world, job))
    book(world, chargebacks[1])
    won_after_all(world, chargebacks[first])
    assert (job.escrow.state, job.escrow.milestone.state) == ("funded", "delivered")
    won_after_all(world, chargebacks[1 - first])
    assert (job.escrow.milestone.state, job.escrow.remaining) == ("delivered", dollars("100.00"))


def test_a_refund_of_a_part_decides_nothing_about_what_was_lost(world: World) -> None:
    job = world.delivered()
    refunded(world, job, "30.00")
    lost_and_won(world, job)
    assert (job.escrow.state, job.escrow.milestone.state, job.escrow.remaining) == (
        "funded", "delivered", dollars("70.00"),
    )  # fmt: skip
    assert auto_release.due(now=world.now) == []


def test_a_failed_refund_keeps_silence_from_releasing_what_comes_back(world: World) -> None:
    job = world.delivered()
    refund_id = refunded(world, job, "30.00")
    chargeback = lost(world, job, amount=7_000)
    book(world, chargeback)
    world.sandbox.control("POST", f"refunds/{refund_id}/fail")
    world.learn_of_refund(job.refund)
    won_after_all(world, chargeback)
    assert (job.escrow.milestone.state, job.escrow.auto_release_at) == ("delivered", None)
