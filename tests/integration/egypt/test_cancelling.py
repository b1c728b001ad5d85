"""Payments that the provider cannot cancel: they stay open until their page has expired."""

from datetime import timedelta

from django.conf import settings

from multitask.marketplace import work
from multitask.payments.funding import cancellations, unfunded
from multitask.payments.models import Operation
from tests.egypt_world import EgyptWorld, pounds
from tests.payments_world import Job

LIFETIME = timedelta(days=settings.UNFUNDED_CANCEL_DAYS + 1)


def asked_to_pay(world: EgyptWorld) -> Job:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    return job


def repeat(world: EgyptWorld) -> None:
    """Do what the hourly job does, and the jobs that it brings."""
    for payment_id in cancellations.left_open(now=world.now):
        cancellations.repeat(payment_id=payment_id, now=world.now)
    world.work()


def backdate(job: Job, by: timedelta) -> None:
    """Let the payment have been created earlier: the adapter compares that with the real clock."""
    created = Operation.objects.filter(kind="create_payment", subject_id=job.payment.pk)
    for operation in created:
        assert operation.finished_at is not None
        created.update(finished_at=operation.finished_at - by)


def test_a_payment_of_a_cancelled_task_is_cancelled_once_its_page_has_expired(world: EgyptWorld) -> None:
    job = asked_to_pay(world)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    world.work()
    assert (job.escrow.state, job.payment.state) == ("cancelled", "pending")

    world.wait(days=1, minutes=1)
    repeat(world)
    assert job.payment.state == "pending", "the page is still open"
    repeat(world)
    assert Operation.objects.filter(kind="cancel_payment").count() == 2, "once a day"

    backdate(job, LIFETIME + timedelta(minutes=1))
    world.wait(days=1, minutes=1)
    repeat(world)
    assert job.payment.state == "cancelled"
    assert cancellations.left_open(now=world.now) == []


def test_money_that_comes_after_the_task_was_cancelled_is_sent_back(world: EgyptWorld) -> None:
    job = asked_to_pay(world)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    world.work()
    world.pay_there(job)

    world.learn_of_payment(job)
    world.work()

    assert job.escrow.state == "cancelled"
    assert (job.refund.source, job.refund.state) == ("unapplied", "succeeded")


def test_an_escrow_that_is_not_paid_is_closed_once_its_payment_page_has_expired(world: EgyptWorld) -> None:
    job = asked_to_pay(world)
    world.wait(days=settings.UNFUNDED_CANCEL_DAYS, minutes=1)
    assert not unfunded.close(escrow_id=job.escrow.pk, now=world.now)
    world.work()
    assert (job.escrow.state, job.payment.state) == ("pending_payment", "pending")

    backdate(job, LIFETIME + timedelta(minutes=1))
    world.wait(days=1, minutes=1)
    unfunded.close(escrow_id=job.escrow.pk, now=world.now)
    world.work()
    assert unfunded.close(escrow_id=job.escrow.pk, now=world.now)
    assert (job.escrow.state, job.payment.state) == ("cancelled", "cancelled")
