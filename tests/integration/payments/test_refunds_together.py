"""Refunds in the provider's dashboard while a refund of ours after the release is under way: who bears them."""

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import refunds_by_bank
from multitask.payments.losses import late_refunds, outside_refunds
from multitask.payments.models import Loss, Refund
from multitask.payments.payouts import transfer_retries
from multitask.payments.reads import where
from multitask.webhooks.models import EventState, IncomingEvent
from tests.integration.payments.losing import parts, purse, the_books_equal_the_providers
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


@pytest.fixture
def job(world: World) -> Job:
    """A settled escrow of 100 dollars that was returned whole, while 60 of it were refunded in the dashboard first."""
    job = world.settled()
    late_refunds.refund(actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    made = world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="6000")
    for _ in range(2):
        with pytest.raises(UnknownObject):
            outside_refunds.confirm("stripe", world.provider.read_refund(made["id"]), world.now)
    return job


def ours(job: Job) -> Refund:
    return job.escrow.refunds.filter(is_outside=False).earliest("pk")


def test_it_takes_what_ours_gives_back_once_staff_has_given_ours_up(world: World, job: Job) -> None:
    world.work()  # the provider refuses ours: only 40.00 are left
    world.hear()
    assert (ours(job).state, ours(job).holds_money) == ("failed", True)
    assert not job.escrow.refunds.filter(is_outside=True).exists()
    late_refunds.give_up(actor=world.staff(), refund_id=ours(job).pk, now=world.now)
    for _ in range(3):
        world.wait(minutes=20)
        world.work()
    # What ours gave back waits for its transfer, so the payee owes the refund until later earnings pay it.
    assert parts(Loss.objects.get(reversed_at=None)) == (0, 0, 900, 5_100, 0)
    assert (held("platform:losses"), held("platform:fees")) == (0, 600)
    world.give_the_platform_money()
    transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    world.work()
    assert (purse(world, job), held(f"user:{user_id(job.freelancer)}:receivable")) == ((0, 8_500, 0), -5_100)
    found = [(each.place.value, each.amount) for each in where.of_escrow(job.client, job.escrow, world.now)]
    assert ("returned", dollars("60.00")) in found


def test_its_event_is_given_up_after_an_hour_and_a_later_read_finds_it(world: World, job: Job) -> None:
    world.work()
    world.hear()
    for _ in range(20):
        world.wait(minutes=20)
        world.work()
    event = IncomingEvent.objects.filter(state=EventState.FAILED).latest("pk")
    assert event.subject == "refund"
    late_refunds.give_up(actor=world.staff(), refund_id=ours(job).pk, now=world.now)
    world.work()
    outside_refunds.confirm("stripe", world.provider.read_refund(event.object_id), world.now)
    assert (held("platform:losses"), held(f"user:{user_id(job.freelancer)}:receivable")) == (0, -5_100)


def test_the_platform_bears_it_if_ours_was_paid_by_bank_all_the_same(world: World, job: Job) -> None:
    world.work()
    world.hear()
    asked = refunds_by_bank.record(actor=world.staff(), refund_id=ours(job).pk, note="Transfer 7", now=world.now)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    for _ in range(3):
        world.wait(minutes=20)
        world.work()
    assert job.escrow.refunds.filter(is_outside=True, state="succeeded").exists()
    assert held("platform:losses") == -6_000
