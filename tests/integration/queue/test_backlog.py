"""A fresh payment is funded at a backlog of a hundred thousand events, and nothing else starves meanwhile."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from multitask.config.job_table import Ended, JobTable, TakenJob
from multitask.payments.models import Escrow
from multitask.payments.states import EscrowState
from multitask.users import account_emails
from multitask.webhooks import incoming, storage
from multitask.webhooks.models import EventState, IncomingEvent
from tests.integration.queue import backlog
from tests.integration.queue.conftest import eventually, last_tick
from tests.integration.races import together
from tests.payments_world import Job as Hired
from tests.payments_world import World

BACKLOG = 100_000
# Those that have work while there is a backlog.
PERIODIC = ("sweep_webhooks", "process_newest")


def paid(world: World) -> Hired:
    """A payment that is paid at the provider, whose events have arrived here and wait."""
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    for event in world.events():
        world.receive(event)
    assert job.escrow.state == EscrowState.PENDING_PAYMENT
    return job


def fetch(queue: str) -> TakenJob | None:
    """Take the next job of a queue as the worker does."""
    return next(iter(JobTable().take({queue: 1}, Ended())), None)


def in_state(state: EventState) -> int:
    return IncomingEvent.objects.filter(state=state.value).count()


@pytest.mark.django_db(transaction=True)
def test_the_job_of_a_fresh_payment_is_the_next_one(world: World) -> None:
    backlog.fill(1_000)
    job = paid(world)

    next_job = fetch("webhooks")

    assert next_job is not None
    assert incoming.process(event_id=next_job.arguments["event_id"], now=timezone.now()) == EventState.PROCESSED
    assert job.escrow.state == EscrowState.FUNDED


@pytest.mark.django_db(transaction=True)
def test_a_worker_funds_a_fresh_payment_at_a_backlog_of_a_hundred_thousand(
    world: World, start_worker: Callable[[], Any]
) -> None:
    backlog.fill(BACKLOG)
    start_worker()
    eventually(lambda: in_state(EventState.FAILED) > 50, "the worker at work on the backlog")

    job = paid(world)
    eventually(lambda: job.escrow.state == EscrowState.FUNDED, "the payment to be funded")

    assert in_state(EventState.RECEIVED) > BACKLOG * 0.9
    ticks = {name: last_tick(name) for name in PERIODIC}
    eventually(lambda: all(last_tick(name) > tick for name, tick in ticks.items()), "every periodic job to run again")
    assert in_state(EventState.RECEIVED) > BACKLOG * 0.5


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_stopped_over_many_ticks_goes_on_with_the_latest(
    world: World, start_worker: Callable[[], Any]
) -> None:
    # A sweep that has work at each of its ticks.
    backlog.fill(BACKLOG // 5)
    process = start_worker()
    eventually(lambda: last_tick("sweep_webhooks"), "a first periodic job")
    os.killpg(process.pid, signal.SIGSTOP)
    before = last_tick("sweep_webhooks")
    eventually(lambda: timezone.now().timestamp() - before >= 35, "ticks to be missed")
    os.killpg(process.pid, signal.SIGCONT)

    eventually(lambda: last_tick("sweep_webhooks") != before, "the next tick")

    # One for all ticks that were missed.
    assert last_tick("sweep_webhooks") - before >= 30


@pytest.mark.django_db(transaction=True)
def test_no_queue_waits_for_another(world: World) -> None:
    backlog.fill(100)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority)"
            " VALUES ('chores', 'sweep_webhooks', 0), ('operations', 'perform_operation', 0)"
        )

    for queue, task in (("chores", "sweep_webhooks"), ("operations", "perform_operation"), ("emails", None)):
        job = fetch(queue)
        assert (job.task if job else None) == task


@pytest.mark.django_db
def test_what_nobody_waits_for_and_what_was_tried_goes_behind(world: World) -> None:
    job = paid(world)
    stranger = {"id": "evt_stranger", "type": "payment_intent.succeeded"}
    world.receive({**event_like(world, job), **stranger, "data": {"object": {"id": "pi_nobody"}}})

    mine = IncomingEvent.objects.filter(object_id=job.payment.provider_payment_id).first()
    other = IncomingEvent.objects.get(event_id="evt_stranger")

    assert mine is not None
    assert (mine.awaited, other.awaited) == (True, False)
    assert (priorities(mine.pk), priorities(other.pk)) == ([storage.AWAITED], [storage.ORDINARY])
    world.lose_jobs()
    world.sandbox.add_fault("error_before", method="GET", path="/v1/payment_intents/*", count=1)
    incoming.process(event_id=mine.pk, now=timezone.now())
    assert priorities(mine.pk) == [storage.BEHIND]


def event_like(world: World, job: Hired) -> dict[str, Any]:
    listed: dict[str, Any] = world._call("events?limit=1")["data"][0]
    return listed


def priorities(event_id: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT priority FROM procrastinate_jobs WHERE (args ->> 'event_id')::bigint = %s ORDER BY id", [event_id]
        )
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_the_events_of_everything_that_somebody_waits_for_are_awaited(world: World) -> None:
    freelancer = world.freelancer()
    world.released(freelancer=freelancer)
    for event in world.events():
        world.receive(event)

    kinds = set(IncomingEvent.objects.filter(awaited=True).values_list("subject", flat=True))
    assert "transfer" in kinds
    world.settled(freelancer=freelancer)
    world.withdrawn(freelancer, world.wallet(freelancer).available)
    for event in world.events():
        world.receive(event)
    assert "payout" in set(IncomingEvent.objects.filter(awaited=True).values_list("subject", flat=True))


# -- the newest have a share


@pytest.mark.django_db
def test_the_newest_are_not_behind_a_backlog_of_their_own_kind(world: World) -> None:
    backlog.fill(2_000, subject="payment", name="pi_gone", awaited=True)
    job = paid(world)

    assert incoming.process_newest(now=timezone.now(), limit=3) == 3

    assert job.escrow.state == EscrowState.FUNDED


@pytest.mark.django_db
def test_the_newest_get_no_help_while_nothing_is_late(world: World) -> None:
    job = paid(world)

    assert incoming.process_newest(now=timezone.now()) == 0
    assert incoming.process_newest(now=timezone.now() + incoming.LATE) > 0
    assert job.escrow.state == EscrowState.FUNDED


@pytest.mark.django_db
def test_an_event_that_fails_is_taken_once_in_a_run(world: World) -> None:
    backlog.fill(3, subject="payment", name="pi_slow", awaited=True)
    world.sandbox.add_fault("error_before", method="GET", path="/v1/payment_intents/*")

    assert incoming.process_newest(now=timezone.now()) == 3
    assert incoming.process_newest(now=timezone.now()) == 0
    assert in_state(EventState.RECEIVED) == 3


# -- many events of one object cost one read


def count_reads(world: World, path: str) -> Callable[[], int]:
    rule = world.sandbox.add_fault("delay", method="GET", path=path, seconds=0)
    return lambda: next(row["fired"] for row in world.sandbox.faults() if row["id"] == rule["id"])


@pytest.mark.django_db
def test_five_hundred_events_of_one_object_cost_one_read(world: World) -> None:
    job = paid(world)
    backlog.fill(500, subject="payment", name=f"{job.payment.provider_payment_id}", objects=1)
    IncomingEvent.objects.update(object_id=job.payment.provider_payment_id)
    reads = count_reads(world, f"/v1/payment_intents/{job.payment.provider_payment_id}")

    for event_id in IncomingEvent.objects.filter(subject="payment").values_list("pk", flat=True):
        incoming.process(event_id=event_id, now=timezone.now())

    assert reads() == 1
    assert job.escrow.state == EscrowState.FUNDED
    assert set(IncomingEvent.objects.filter(subject="payment").values_list("state", flat=True)) == {"processed"}


@pytest.mark.django_db
def test_events_of_another_account_or_kind_are_not_ended_by_the_read(world: World) -> None:
    job = paid(world)
    first = IncomingEvent.objects.filter(subject="payment").earliest("pk")
    names = ("another account", "another kind", "in quarantine")
    for name, changed in zip(
        names, ({"account_id": "acct_1"}, {"subject": "setup"}, {"state": "quarantined"}), strict=True
    ):
        values = {field.attname: getattr(first, field.attname) for field in IncomingEvent._meta.concrete_fields}
        IncomingEvent.objects.create(**{**values, "id": None, "event_id": name, **changed})

    incoming.process(event_id=first.pk, now=timezone.now())

    assert job.escrow.state == EscrowState.FUNDED
    states = IncomingEvent.objects.filter(event_id__in=names).order_by("pk").values_list("state", flat=True)
    assert list(states) == ["received", "received", "quarantined"]


@pytest.mark.django_db
def test_an_event_that_comes_after_the_read_began_is_read_for(world: World) -> None:
    job = paid(world)
    first, *others = IncomingEvent.objects.filter(subject="payment").order_by("pk")
    IncomingEvent.objects.filter(pk__in=[event.pk for event in others]).delete()
    incoming.process(event_id=first.pk, now=timezone.now())
    reads = count_reads(world, f"/v1/payment_intents/{job.payment.provider_payment_id}")
    others[-1].pk = None
    others[-1].save(force_insert=True)

    assert incoming.process(event_id=others[-1].pk, now=timezone.now()) == EventState.PROCESSED
    assert reads() == 1


@pytest.mark.django_db
def test_a_sweep_finds_every_lost_job_at_once(world: World) -> None:
    backlog.fill(1_200)
    world.lose_jobs()

    assert incoming.sweep(now=timezone.now()) == 1_200
    assert incoming.sweep(now=timezone.now() + timedelta(minutes=1)) == 0
    assert Escrow.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_letter_goes_before_the_notices_that_wait(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " SELECT 'emails', 'send_email', jsonb_build_object('notice_id', n) FROM generate_series(1, 50) AS n"
        )
    account_emails.post("reset", address="ada@example.com")

    job = fetch("emails")

    assert job is not None
    assert job.task == "send_letter"


@pytest.mark.django_db(transaction=True)
def test_many_jobs_of_one_account_at_once_end_with_what_the_provider_says(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    account = world.create_account(freelancer)
    world.fill_in(freelancer)
    for event in world.events():
        world.receive(event)
    backlog.fill(20, subject="account", name="account", objects=1)
    IncomingEvent.objects.filter(event_id__startswith="evt_backlog").update(
        object_id=account.provider_account_id, account_id=account.provider_account_id
    )
    waiting = IncomingEvent.objects.filter(state=EventState.RECEIVED, subject="account")

    for _ in range(10):
        answers = together([partial(process, event_id) for event_id in list(waiting.values_list("pk", flat=True))[:12]])
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        if not waiting.exists():
            break

    assert not waiting.exists()
    account.refresh_from_db()
    assert account.onboarding_completed


def process(event_id: int) -> EventState:
    return incoming.process(event_id=event_id, now=timezone.now())
