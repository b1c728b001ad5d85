"""Cancellation of a task, with its escrow in every state."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction

from multitask.marketplace import tasks, work
from multitask.marketplace.errors import NotYourPart, TaskNotFound
from multitask.marketplace.work import TaskStateConflict
from multitask.payments.errors import ProviderUnavailable, WrongState
from multitask.payments.escrow import disputes
from multitask.payments.models import AuditEvent, Customer, Escrow, HistoryRow, Operation, Payment
from multitask.payments.operations import engine
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, held, user_id


def cancel(world: World, job: Job, actor: Actor | None = None) -> None:
    work.cancel(actor=actor or job.client, task_id=job.task_id, now=world.now)


def cancelling(job: Job) -> Operation:
    return Operation.objects.get(kind="cancel_payment", subject_id=job.payment.pk)


def test_a_task_without_an_escrow_is_simply_cancelled(world: World) -> None:
    job = world.hired()
    cancel(world, job)
    assert job.task.status == "cancelled"
    assert not Escrow.objects.exists()
    assert not AuditEvent.objects.filter(event="task_cancelled").exists()


def test_an_open_task_is_simply_cancelled(world: World) -> None:
    client = world.client()
    task = tasks.post_task(actor=client, now=world.now, title="A", description="B", budget=dollars("10"))
    assert work.cancel(actor=client, task_id=task.pk, now=world.now).status == "cancelled"


def test_an_unpaid_escrow_is_cancelled_with_its_payment(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    cancel(world, job)
    assert (job.escrow.state, job.escrow.cancelled_at) == ("cancelled", world.now)
    assert job.history() == ["payment_requested", "task_cancelled", "cancelled"]
    world.work()
    assert job.payment.state == "cancelled"
    assert world.provider.read_payment(str(job.payment.provider_payment_id)).status.value == "cancelled"
    assert HistoryRow.objects.get().status == "cancelled"
    assert cancelling(job).state == "succeeded"


def test_a_payment_that_was_never_created_needs_no_cancelling(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/customers", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    cancel(world, job)
    world.work()
    assert (job.payment.state, cancelling(job).state) == ("cancelled", "failed")
    assert HistoryRow.objects.get().status == "cancelled"


def test_a_payment_whose_creation_is_unanswered_is_cancelled_once_it_is_known(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payment_intents", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    cancel(world, job)
    world.work()
    assert (cancelling(job).state, cancelling(job).last_error_code) == ("pending", "awaits_creation")
    world.wait(minutes=1)
    engine.perform(Operation.objects.get(kind="create_payment").pk, now=world.now)
    world.work()
    assert (job.payment.state, cancelling(job).state) == ("cancelled", "succeeded")


def test_a_lost_answer_to_the_cancelling_is_asked_for_again(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    cancel(world, job)
    world.sandbox.add_fault("drop_response", method="POST", path="*/cancel", count=1)
    world.work()
    assert cancelling(job).state == "unknown"
    world.wait(minutes=1)
    world.work()
    assert (cancelling(job).state, job.payment.state) == ("succeeded", "cancelled")


def test_a_cancelling_that_comes_too_late_ends_and_the_money_comes_back(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    cancel(world, job)
    world.work()
    assert (cancelling(job).state, job.payment.state) == ("failed", "pending")
    world.hear()
    assert (job.payment.state, job.refund.state) == ("returned", "succeeded")


@pytest.mark.parametrize(("provider_says", "state"), [("canceled", "cancelled"), ("succeeded", "returned")])
def test_a_cancelling_tried_after_a_day_reads_what_was_decided(world: World, provider_says: str, state: str) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    cancel(world, job)
    world.sandbox.add_fault("drop_request", method="POST", path="*/cancel", count=1)
    world.work()
    if provider_says == "succeeded":
        world.pay(job)
    else:
        world.at_provider(f"payment_intents/{job.payment.provider_payment_id}/cancel")
    world.wait(days=1)
    world.work()
    assert cancelling(job).state == "succeeded"
    assert job.payment.state == state


def test_a_cancelling_without_an_answer_ends_after_the_payment_has_arrived(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    cancel(world, job)
    world.sandbox.add_fault("drop_response", method="POST", path="*/cancel", count=1)
    world.work()
    assert cancelling(job).state == "unknown"
    world.hear()
    assert job.payment.provider_collection_id
    world.wait(minutes=1)
    world.work()
    assert (cancelling(job).state, job.payment.state) == ("succeeded", "returned")


def test_after_a_day_a_payment_still_open_is_cancelled_under_the_same_key(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    cancel(world, job)
    world.sandbox.add_fault("drop_request", method="POST", path="*/cancel", count=1)
    world.work()
    world.wait(days=1)
    world.work()
    assert (cancelling(job).state, cancelling(job).generation, job.payment.state) == ("succeeded", 1, "cancelled")


def beside(call: Callable[[], object]) -> threading.Thread:
    """Call in a thread with a connection of its own; what it refuses is left to what stands in the tables."""

    def run() -> None:
        with suppress(WrongState):
            call()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(_WAITING)
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_an_escrow_that_opens_at_the_same_moment_is_cancelled_too(world: World) -> None:
    job = world.hired()
    with transaction.atomic():
        # The request to pay waits for this row, with its escrow opened and not committed.
        Customer.objects.create(user_id=user_id(job.client), provider="stripe", created_at=world.now)
        asking = beside(lambda: world.ask_to_pay(job))
        until(lambda: waiting_for_locks() == 1)
        cancelling_it = beside(lambda: cancel(world, job))
        until(lambda: waiting_for_locks() == 2)
        transaction.set_rollback(True)
    for thread in (asking, cancelling_it):
        thread.join(30)
    assert (job.task.status, job.escrow.state) == ("cancelled", "cancelled")
    assert "task_cancelled" in job.history()


@pytest.mark.breaks_the_books  # The payment under review has no money.
@pytest.mark.django_db(transaction=True)
def test_a_cancellation_that_finds_nothing_waits_for_the_payments_lock(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/customers", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    cancel(world, job)
    with transaction.atomic():
        # As a webhook does that has just been told of the payment.
        payment = Payment.objects.select_for_update(no_key=True).get(escrow=job.escrow)
        performing = beside(lambda: engine.perform(cancelling(job).pk, now=world.now))
        until(lambda: waiting_for_locks() == 1)
        Payment.objects.filter(pk=payment.pk).update(state="review")
    performing.join(30)
    assert job.payment.state == "review"


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_was_called_off_meanwhile_is_not_created(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("delay", method="POST", path="/v1/customers", count=1, seconds=1.5)
    asking = beside(lambda: world.ask_to_pay(job))
    until(lambda: Escrow.objects.filter(agreement__task=job.task_id).exists())
    cancel(world, job)
    world.work()
    asking.join(30)
    # The cancellation has waited for the creation, which did not happen.
    world.wait(minutes=1)
    world.work()
    assert (job.escrow.state, job.payment.state, job.payment.provider_payment_id) == ("cancelled", "cancelled", None)
    assert Operation.objects.get(kind="create_payment").last_error_code == "called_off"
    assert not world.made("payment_intent", f"create_payment:{job.payment.pk}:1")


def test_a_creation_still_unknown_after_a_day_is_waited_for(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payment_intents", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    cancel(world, job)
    engine.perform(cancelling(job).pk, now=world.now)
    world.wait(days=1)
    engine.perform(cancelling(job).pk, now=world.now)
    assert (cancelling(job).state, cancelling(job).last_error_code) == ("pending", "awaits_creation")
    world.work()
    world.wait(days=1)
    world.work()
    assert (cancelling(job).state, job.payment.state) == ("succeeded", "cancelled")


def test_a_funded_escrow_stays_until_it_is_refunded(world: World) -> None:
    job = world.funded()
    cancel(world, job)
    assert (job.task.status, job.escrow.state) == ("cancelled", "funded")
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert world.refund(job).state == "pending"
    world.work()
    assert job.escrow.state == "refunded"


def test_a_delivery_that_is_cancelled_stops_the_clock(world: World) -> None:
    job = world.delivered()
    cancel(world, job, job.freelancer)
    assert job.escrow.auto_release_at is None


def test_a_disputed_task_may_be_cancelled_and_the_dispute_stays(world: World) -> None:
    job = world.started()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    cancel(world, job, job.freelancer)
    assert (job.task.status, job.escrow.state) == ("cancelled", "disputed")


def test_a_task_is_cancelled_with_its_whole_refund(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer)
    world.work()
    with pytest.raises(TaskStateConflict):
        cancel(world, job, job.freelancer)
    assert (job.task.status, job.escrow.state) == ("cancelled", "refunded")


def test_who_may_not_cancel(world: World) -> None:
    job = world.started()
    with pytest.raises(TaskStateConflict):
        cancel(world, job)
    with pytest.raises(NotYourPart):
        cancel(world, job, world.staff("support"))
    with pytest.raises(TaskNotFound):
        cancel(world, job, world.client())
    done = world.completed()
    with pytest.raises(TaskStateConflict):
        cancel(world, done, done.freelancer)


def test_a_cancelled_task_makes_no_room_for_another_payment(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    cancel(world, job)
    with pytest.raises(WrongState):
        world.ask_to_pay(job)
    assert Escrow.objects.count() == 1


def test_each_step_of_the_work_is_written_down(world: World) -> None:
    job = world.started()
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)
    assert job.history()[-3:] == ["started", "delivered", "completed"]


def test_work_may_start_before_the_payment(world: World) -> None:
    job = world.hired()
    work.start(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.task.status == "in_progress"
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()
    assert job.escrow.state == "funded"
