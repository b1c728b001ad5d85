"""Payments that the provider cannot cancel: they stay open until their page has expired."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from multitask.marketplace import work
from multitask.payments.funding import cancellations, unfunded
from multitask.payments.models import Operation, Payment
from multitask.webhooks import polling
from tests.egypt_world import COLLECTED, EgyptWorld, pounds
from tests.payments_world import Job, held

# What a payer may leave behind: nothing, a code that was never entered, a bill that nobody has paid.
LEFT: list[dict[str, Any]] = [
    {},
    {"card": "5123456789012346", "passed": None},
    {"method": "kiosk", "passed": None},
]
LIFETIME = timedelta(days=settings.UNFUNDED_CANCEL_DAYS + 1)


def asked_to_pay(world: EgyptWorld, left: dict[str, Any] | None = None) -> Job:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    if left:
        world.pay_there(job, **left)
        world.learn_of_payment(job)
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


@pytest.mark.parametrize("left", LEFT)
def test_an_escrow_that_is_not_paid_is_closed_once_its_payment_page_has_expired(
    world: EgyptWorld, left: dict[str, Any]
) -> None:
    job = asked_to_pay(world, left)
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


@pytest.mark.parametrize("left", LEFT)
def test_after_the_page_has_expired_its_client_pays_anew(world: EgyptWorld, left: dict[str, Any]) -> None:
    job = asked_to_pay(world, left)
    first = job.payment
    assert world.ask_to_pay(job).payment == first
    backdate(job, LIFETIME + timedelta(minutes=1))

    again = world.ask_to_pay(job)

    first.refresh_from_db()
    assert (first.state, again.existing) == ("cancelled", False)
    assert again.payment.payer_token != first.payer_token
    assert world.ask_to_pay(job).payment == again.payment
    world.pay_there(job)
    world.learn_of_payment(job)
    assert (job.escrow.state, job.payment) == ("funded", again.payment)


def test_an_expired_page_whose_order_is_paid_is_not_replaced(world: EgyptWorld) -> None:
    job = asked_to_pay(world)
    world.pay_there(job)
    backdate(job, LIFETIME + timedelta(minutes=1))

    for _ in range(2):
        assert world.ask_to_pay(job).payment == job.payment
    assert Payment.objects.count() == 1

    world.learn_of_payment(job)
    assert job.escrow.state == "funded"


@pytest.mark.parametrize("days", [2, 50])
def test_money_for_an_old_bill_is_found_and_sent_back(world: EgyptWorld, days: int) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    order = str(job.payment.provider_payment_id)
    begun = {"method": "kiosk", "passed": None}
    bill = world.paymob.control("POST", f"intentions/{order}/pay", begun)["transaction"]["id"]
    first = job.payment
    backdate(job, LIFETIME + timedelta(minutes=1))
    world.ask_to_pay(job)
    world.pay_there(job)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"

    world.wait(days=days)
    world.paymob.control("POST", f"transactions/{bill}", {"passed": True})
    world.wait(days=1)
    polling.refresh_open(now=world.now, since=world.now - timedelta(days=1))

    first.refresh_from_db()
    assert (first.state, first.review_reason) == ("review", "second_payment")
    assert (job.refund.source, job.refund.payment) == ("unapplied", first)
    assert held(COLLECTED, "EGP") == -200_000
