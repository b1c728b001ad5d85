"""Escrows that are not paid: their client is reminded, they are closed, and a payment that succeeds meanwhile wins."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from multitask import due
from multitask.marketplace import work
from multitask.payments.agreements import milestone_work
from multitask.payments.books import history
from multitask.payments.errors import ProviderUnavailable
from multitask.payments.funding import cancellations, payment_results, unfunded
from multitask.payments.models import AuditEvent, EmailState, Escrow, HistoryRow, Notice, Operation, Payment
from multitask.payments.notices import notices, reminders
from multitask.payments.operations import engine, sweeper
from multitask.users.actor import Actor
from tests.integration.races import together
from tests.payments_world import Job, World, held

PERIOD = timedelta(days=14)


def asked(world: World) -> Job:
    """The client has asked to pay, and has not paid."""
    job = world.hired()
    world.ask_to_pay(job)
    return job


def sweep(world: World) -> list[bool]:
    """What the job does each minute."""
    return [unfunded.close(escrow_id=escrow_id, now=world.now) for escrow_id in unfunded.due(now=world.now)]


def settle_down(world: World) -> None:
    """Everything that the worker does within minutes."""
    for _ in range(4):
        world.wait(minutes=2)
        sweeper.sweep(now=world.now)
        world.work()
        sweep(world)
    world.hear()


def told(actor: Actor) -> list[str]:
    return list(Notice.objects.filter(user_id=actor.user_id).order_by("pk").values_list("kind", flat=True))


def require_closed(world: World, job: Job) -> None:
    assert (job.escrow.state, job.payment.state) == ("cancelled", "cancelled")
    assert world.provider.read_payment(str(job.payment.provider_payment_id)).status.value == "cancelled"
    assert HistoryRow.objects.get(user_id=job.client.user_id).status == "cancelled"
    assert job.history().count("cancelled") == 1


def require_funded(job: Job) -> None:
    assert (job.escrow.state, job.payment.state) == ("funded", "succeeded")
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert "refund_started" not in job.history()


# -- reminders


def test_the_client_is_reminded_after_some_days_and_before_the_end(world: World) -> None:
    job = asked(world)
    assert job.escrow.payment_due_at == world.now + PERIOD
    counts = {}
    for day in range(16):
        counts[day] = reminders.remind(now=world.now + timedelta(days=day, minutes=1))
        assert reminders.remind(now=world.now + timedelta(days=day, minutes=2)) == 0
    assert {day for day, count in counts.items() if count} == {3, 12}
    assert told(job.client) == ["payment_due", "payment_due_soon"]
    assert told(job.freelancer) == []


def test_the_distances_are_settings(world: World, settings: Settings) -> None:
    settings.UNFUNDED_CANCEL_DAYS, settings.UNFUNDED_REMINDER_DAYS = 30, 10
    settings.UNFUNDED_LAST_REMINDER_DAYS = 5
    job = asked(world)
    assert job.escrow.payment_due_at == world.now + timedelta(days=30)
    due = {day for day in range(31) if reminders.remind(now=world.now + timedelta(days=day, minutes=1))}
    assert due == {10, 25}


def test_nobody_is_reminded_again_because_the_notice_was_deleted(world: World, settings: Settings) -> None:
    settings.UNFUNDED_CANCEL_DAYS, settings.RETENTION_NOTICE_DAYS = 366, 90
    asked(world)
    days = []
    for day in (3, 50, 92, 93, 94, 200, 365):
        now = world.now + timedelta(days=day, minutes=1)
        days += [day] * reminders.remind(now=now)
        Notice.objects.update(email_state=EmailState.SENT.value)
        notices.purge(before=now - timedelta(days=90))
    assert days == [3, 365]


def test_the_reminders_are_due_only_while_there_is_an_escrow_to_look_at(world: World) -> None:
    is_due = due.CHECKS["remind_clients"]
    assert not is_due(world.now)
    asked(world)
    assert not is_due(world.now + timedelta(days=2))
    assert is_due(world.now + timedelta(days=4))
    assert not is_due(world.now + timedelta(days=15))


def test_nobody_is_reminded_of_what_is_paid_processed_or_cancelled(world: World) -> None:
    world.funded()
    processed, cancelled = asked(world), asked(world)
    Payment.objects.filter(pk=processed.payment.pk).update(provider_status="processing")
    work.cancel(actor=cancelled.client, task_id=cancelled.task_id, now=world.now)
    assert reminders.remind(now=world.now + timedelta(days=13)) == 0


def test_many_escrows_are_read_some_at_a_time_and_reminded_of_once(world: World) -> None:
    client = world.client()
    for _ in range(5):
        job = world.hired(client=client)
        world.ask_to_pay(job)
    assert reminders.remind(now=world.now + timedelta(days=4), limit=2) == 5


@pytest.mark.django_db(transaction=True)
def test_many_who_remind_at_once_remind_once(world: World) -> None:
    job = asked(world)
    answers = together([lambda: reminders.remind(now=world.now + timedelta(days=4))] * 5)
    assert sorted(answers) == [0, 0, 0, 0, 1]
    assert told(job.client) == ["payment_due"]


# -- the sweep


def test_an_unpaid_escrow_is_closed_once_its_payment_is_cancelled(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD - timedelta(minutes=1))
    assert sweep(world) == []
    world.wait(minutes=1)
    assert sweep(world) == [False]
    assert job.escrow.state == "pending_payment"
    world.work()
    assert sweep(world) == [True]
    require_closed(world, job)
    assert job.history() == ["payment_requested", "payment_cancelled", "payment_expired", "cancelled"]
    assert job.task.status == "assigned"
    assert sweep(world) == []
    notices.collect(now=world.now)
    for side in (job.client, job.freelancer):
        assert "payment_expired" in told(side)


def test_the_client_pays_again_with_a_new_escrow(world: World) -> None:
    job = asked(world)
    work.start(actor=job.freelancer, task_id=job.task_id, now=world.now)
    closed = job.escrow
    world.wait(PERIOD)
    settle_down(world)
    assert job.task.status == "in_progress"
    intent = world.ask_to_pay(job)
    assert intent.escrow.pk != closed.pk
    assert intent.escrow.payment_due_at == world.now + PERIOD
    world.pay(job)
    world.hear()
    require_funded(job)
    closed.refresh_from_db()
    assert closed.state == "cancelled"


def test_a_payment_that_succeeds_before_it_is_cancelled_funds_the_escrow(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    world.pay(job)
    world.work()
    settle_down(world)
    require_funded(job)
    assert Operation.objects.get(kind="cancel_payment").state == "failed"


def test_a_payment_whose_news_come_late_funds_the_escrow(world: World) -> None:
    job = asked(world)
    world.pay(job)
    world.wait(PERIOD)
    for _ in range(2):
        assert sweep(world) == [False]
        world.work()
    world.hear()
    require_funded(job)


def test_money_that_is_being_processed_is_waited_for(world: World) -> None:
    job = asked(world)
    Payment.objects.filter(pk=job.payment.pk).update(provider_status="processing")
    world.wait(PERIOD)
    assert sweep(world) == [False]
    assert not Operation.objects.filter(kind="cancel_payment").exists()
    Payment.objects.filter(pk=job.payment.pk).update(provider_status="awaiting")
    settle_down(world)
    require_closed(world, job)


def test_a_refused_cancellation_is_repeated_a_day_later(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    Operation.objects.filter(kind="cancel_payment").update(
        state="failed", finished_at=world.now, last_error_code="payment_intent_unexpected_state", next_attempt_at=None
    )
    world.lose_jobs()
    world.wait(hours=23)
    sweep(world)
    assert Operation.objects.filter(kind="cancel_payment").count() == 1
    world.wait(hours=2)
    settle_down(world)
    assert Operation.objects.filter(kind="cancel_payment").count() == 2
    require_closed(world, job)


def test_a_payment_that_was_never_created_does_not_keep_the_escrow_open(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/customers", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    world.wait(PERIOD)
    settle_down(world)
    assert (job.escrow.state, job.payment.state) == ("cancelled", "cancelled")


def test_a_client_who_asks_again_gets_the_whole_period(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    world.work()
    assert (job.escrow.state, job.payment.state) == ("pending_payment", "cancelled")
    # Before the next run of the sweep.
    intent = world.ask_to_pay(job)
    assert intent.escrow.payment_due_at == world.now + PERIOD
    assert sweep(world) == []
    world.pay(job)
    world.hear()
    require_funded(job)


def test_a_payment_that_is_created_anew_is_not_taken_for_one_that_never_was(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/customers", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    world.wait(PERIOD)
    sweep(world)
    operation = Operation.objects.get(kind="cancel_payment")
    # The cancellation has called the creation off; before it records that, the client asks again.
    engine.withdraw(Operation.objects.get(kind="create_payment"), code=payment_results.CALLED_OFF, now=world.now)
    world.ask_to_pay(job)
    cancellations.CancelPayment().failed(
        operation, cancellations.Rejected(cancellations.NOTHING_TO_CANCEL, ""), world.now
    )
    assert job.payment.state == "pending"
    world.lose_jobs()
    world.pay(job)
    world.hear()
    require_funded(job)


def test_a_task_that_is_called_off_during_the_sweep_is_closed_once(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    settle_down(world)
    require_closed(world, job)
    assert "payment_expired" not in job.history()
    assert Operation.objects.filter(kind="cancel_payment").count() == 1


@pytest.mark.parametrize("crash", ["before the call", "after the call", "before the closing"])
def test_a_crash_at_any_point_is_made_good(world: World, crash: str) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    if crash == "before the call":
        world.lose_jobs()
    elif crash == "after the call":
        world.sandbox.add_fault("drop_response", method="POST", path="*/cancel", count=1)
        world.work()
        world.lose_jobs()
    else:
        world.work()
    settle_down(world)
    require_closed(world, job)


# -- at the same moment

races = pytest.mark.django_db(transaction=True)


@races
def test_many_sweeps_at_once_are_one(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    together([lambda: sweep(world)] * 8)
    assert Operation.objects.filter(kind="cancel_payment").count() == 1
    world.work()
    answers = together([lambda: sweep(world)] * 8)
    assert sum(sum(answer) for answer in answers) == 1
    require_closed(world, job)


def read_payment(world: World, job: Job) -> Callable[[], None]:
    return lambda: world.learn_of_payment(job)


@races
@pytest.mark.parametrize("attempt", range(3))
def test_a_sweep_against_the_news_of_the_payment(world: World, attempt: int) -> None:
    job = asked(world)
    world.pay(job)
    world.wait(PERIOD)
    together([lambda: sweep(world), read_payment(world, job), lambda: sweep(world)])
    settle_down(world)
    require_funded(job)


@races
@pytest.mark.parametrize("attempt", range(3))
def test_a_cancellation_against_the_payment_in_the_browser(world: World, attempt: int) -> None:
    job = asked(world)
    world.wait(PERIOD)
    sweep(world)
    operation = Operation.objects.get(kind="cancel_payment")
    # The browser's form fails if the provider has cancelled the payment first.
    together([lambda: engine.perform(operation.pk, now=world.now), lambda: world.pay(job)])
    settle_down(world)
    if job.escrow.state == "funded":
        require_funded(job)
    else:
        require_closed(world, job)


@races
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_sweep_against_a_new_intent_of_the_client(world: World, is_cancelled: bool) -> None:
    job = asked(world)
    world.wait(PERIOD)
    if is_cancelled:
        sweep(world)
        world.work()
    answers: list[Any] = together([lambda: sweep(world), lambda: world.ask_to_pay(job)])
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    settle_down(world)
    assert Escrow.objects.filter(state="pending_payment").count() <= 1
    # Whatever came first, the client can pay now.
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()
    require_funded(job)
    assert AuditEvent.objects.filter(event="payment_expired").count() == Escrow.objects.count() - 1


def test_late_money_for_a_closed_escrow_goes_back(world: World) -> None:
    """As today: a payment that we took for cancelled, and that succeeded all the same."""
    job = asked(world)
    world.pay(job)
    escrow, payment = job.escrow, job.payment
    payment.state = "cancelled"
    payment.save()
    history.deposit_became(escrow, payment, history.HistoryStatus.CANCELLED, world.now)
    world.wait(PERIOD)
    assert sweep(world) == [True]
    world.learn_of_payment(job)
    world.work()
    assert (job.payment.state, job.refund.state) == ("returned", "succeeded")


def test_delivery_needs_a_new_payment(world: World) -> None:
    job = asked(world)
    world.wait(PERIOD)
    settle_down(world)
    with pytest.raises(milestone_work.NotFunded):
        work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
