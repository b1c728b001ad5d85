"""What the polls find long after the payment, where the one callback that told of it was lost."""

from datetime import datetime, timedelta

import pytest

from multitask.payments.models import Payment, Refund
from multitask.webhooks import polling
from tests.egypt_world import EgyptWorld, pounds


def pass_days(world: EgyptWorld, days: int) -> None:
    """Poll once a day."""
    for _ in range(days):
        world.wait(days=1)
        polling.refresh_open(now=world.now)


@pytest.mark.parametrize("days", [5, 15, 100])
def test_a_refund_in_the_dashboard_is_found_while_the_money_is_held(world: EgyptWorld, days: int) -> None:
    job = world.funded()
    world.wait(days=days)
    world.paymob.refund(int(job.payment.provider_collection_id), 40_000)

    pass_days(world, 2)

    assert job.escrow.remaining == pounds("600.00")
    assert Refund.objects.get().is_outside


def test_a_refund_in_the_dashboard_just_before_the_release_is_found_after_it(world: EgyptWorld) -> None:
    job = world.completed(freelancer=world.payee())
    world.wait(days=40)
    world.paymob.refund(int(job.payment.provider_collection_id), 40_000)
    world.release(job)

    pass_days(world, 2)

    assert Refund.objects.get().is_outside


def test_a_payment_whose_money_has_left_is_read_for_two_weeks(world: EgyptWorld) -> None:
    job = world.completed(freelancer=world.payee())
    world.release(job)
    order = job.payment.provider_payment_id

    def is_read(now: datetime) -> bool:
        return order in [event.object_id for event in polling.due(now=now, since=now - timedelta(days=1))]

    assert is_read(world.now + timedelta(days=13))
    assert not is_read(world.now + timedelta(days=16))


@pytest.mark.breaks_the_books  # A state without its postings.
def test_a_payment_under_review_is_read_until_it_is_returned(world: EgyptWorld) -> None:
    job = world.funded()
    Payment.objects.update(state="review", succeeded_at=world.now - timedelta(days=200))
    due = polling.due(now=world.now, since=world.now - timedelta(days=1))

    assert job.payment.provider_payment_id in [event.object_id for event in due]
