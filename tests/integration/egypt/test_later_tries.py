"""Several tries to pay one order: what a later one shows does not change what is known of the one that succeeded."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from structlog.testing import capture_logs

from multitask.payments.funding import payment_results, unfunded
from multitask.payments.models import AuditEvent, Operation
from multitask.payments.provider import PaymentStatus, Unknown
from multitask.webhooks import dispatch
from multitask.webhooks.models import IncomingEvent
from tests.egypt_world import COLLECTED, EgyptWorld, pounds
from tests.payments_world import Job, held

LIFETIME = timedelta(days=settings.UNFUNDED_CANCEL_DAYS + 1)


def paid_by_first(world: EgyptWorld) -> tuple[Job, str, str]:
    """A job whose order's first try succeeded after its second was declined; return the order and the first try."""
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    order = str(job.payment.provider_payment_id)
    begun = {"card": "5123456789012346", "passed": None}
    first = world.paymob.control("POST", f"intentions/{order}/pay", begun)["transaction"]["id"]
    world.pay_there(job, card="4000000000000002")
    world.paymob.control("POST", f"transactions/{first}", {"passed": True})
    return job, order, str(first)


def test_a_later_declined_try_changes_nothing_about_a_kiosk_payment(world: EgyptWorld) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    paid = job.payment
    assert (paid.state, paid.is_refundable) == ("succeeded", False)

    seen = world.paymob_provider.read_payment(str(paid.provider_payment_id))
    declined = replace(
        seen,
        status=PaymentStatus.AWAITING,
        collection_id="",
        is_refundable=True,
        failure_code="51",
        failure_message="The card was declined.",
    )
    for _ in range(2):
        payment_results.confirm("paymob", declined, world.now)

    after = job.payment
    assert after.is_refundable is False, "money from a kiosk cannot go back that way"
    assert after.provider_collection_id == paid.provider_collection_id != ""
    assert (after.failure_code, after.failure_reason) == ("", "")
    assert not AuditEvent.objects.filter(event="payment_failed").exists()


def test_a_declined_try_is_no_sign_of_how_the_money_will_come(world: EgyptWorld) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    world.pay_there(job, card="4000000000000002")
    world.learn_of_payment(job)
    assert (job.payment.state, job.payment.provider_collection_id) == ("pending", "")
    assert job.payment.failure_code

    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)

    assert (job.escrow.state, job.payment.is_refundable, job.payment.failure_code) == ("funded", False, "")


def test_the_earlier_try_that_paid_is_found_in_the_list_of_the_orders_tries(world: EgyptWorld) -> None:
    job, order, first = paid_by_first(world)

    world.learn_of_payment(job)

    assert (job.escrow.state, job.payment.provider_collection_id) == ("funded", str(first))
    assert held(COLLECTED, "EGP") == -100_000
    world.paymob.refund(int(first), 40_000)
    world.learn_of_payment(job)
    assert world.paymob_provider.read_payment(order).refunded == pounds("400.00")


def test_a_paid_order_is_not_cancelled_for_a_later_declined_try(world: EgyptWorld) -> None:
    world.paymob.add_fault("error_before", method="GET", path="/api/ecommerce/orders/*")
    job, order, first = paid_by_first(world)

    with pytest.raises(Unknown) as refused:
        world.learn_of_payment(job)
    assert refused.value.code == "unexpected_paid_order"

    created = Operation.objects.get(kind="create_payment")
    assert created.finished_at is not None
    created.finished_at -= LIFETIME + timedelta(minutes=1)
    created.save()
    world.wait(days=settings.UNFUNDED_CANCEL_DAYS, minutes=1)
    for _ in range(3):
        for escrow_id in unfunded.due(now=world.now):
            unfunded.close(escrow_id=escrow_id, now=world.now)
        world.work()
        world.wait(days=1)
    assert Operation.objects.filter(kind="cancel_payment").exists()
    assert (job.escrow.state, job.payment.state) == ("pending_payment", "pending")

    named = IncomingEvent(provider="paymob", subject="payment", object_id=f"{order}/{first}")
    dispatch.refresh(named, now=world.now)
    assert (job.escrow.state, held(COLLECTED, "EGP")) == ("funded", -100_000)


def test_a_poll_reads_a_paid_order_quietly_whose_last_try_was_declined(world: EgyptWorld) -> None:
    job, order, first = paid_by_first(world)
    dispatch.refresh(IncomingEvent(provider="paymob", subject="payment", object_id=f"{order}/{first}"), now=world.now)
    assert job.escrow.state == "funded"

    with capture_logs() as said:
        dispatch.refresh(IncomingEvent(provider="paymob", subject="payment", object_id=order), now=world.now)
    assert [line for line in said if line["log_level"] in {"warning", "error"}] == []

    world.paymob.refund(int(first), 40_000)
    dispatch.refresh(IncomingEvent(provider="paymob", subject="payment", object_id=order), now=world.now)
    assert job.escrow.remaining == pounds("600.00")
