"""An object that has news has one waiting job, however many events come, and no event is left without one."""

import random
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from multitask.config.job_table import Ended, JobTable, TakenJob
from multitask.database import jobs
from multitask.payments.provider import InboundEvent, Subject
from multitask.payments.states import EscrowState
from multitask.webhooks import incoming, storage
from multitask.webhooks.models import EventState, IncomingEvent
from tests.contract.rigs import StripeRig
from tests.integration.races import together
from tests.integration.webhooks.conftest import make_event
from tests.integration.webhooks.world import World, escrow_of, states

pytestmark = pytest.mark.django_db
NOBODY = "pi_1Nobody"


def about(object_id: str, number: int, account: str = "") -> InboundEvent:
    return InboundEvent(
        id=f"evt_{object_id}_{account}_{number}",
        kind="payment_intent.succeeded",
        subject=Subject.PAYMENT,
        object_id=object_id,
        account_id=account,
        created_at=timezone.now(),
        live=False,
    )


def store(object_id: str, number: int, account: str = "") -> int:
    event = about(object_id, number, account)
    stored = storage.store(provider="stripe", event=event, payload="{}", state=EventState.RECEIVED, now=timezone.now())
    assert stored is not None
    return stored


def waiting() -> list[ProcrastinateJob]:
    return list(ProcrastinateJob.objects.filter(status="todo").order_by("pk"))


def take(table: JobTable | None = None) -> TakenJob | None:
    return next(iter((table or JobTable()).take({"webhooks": 1}, Ended())), None)


def work_off() -> int:
    """Do all jobs that wait; return how many."""
    table, done = JobTable(), 0
    while taken := table.take({"webhooks": 1}, Ended()):
        incoming.process(event_id=taken[0].arguments["event_id"], now=timezone.now())
        done += 1
    return done


def test_all_events_of_a_payment_cost_one_job_and_one_read(world: World, rig: StripeRig) -> None:
    payment = world.payment()
    world.pay(payment)
    events = [event for event in world.news() if event["type"].startswith(("payment_intent", "charge"))]
    assert len(events) >= 2
    world.deliver(events)

    assert len(waiting()) == 1
    assert work_off() == 1

    assert escrow_of(payment).state == EscrowState.FUNDED
    assert EventState.RECEIVED not in states()


def test_other_objects_and_accounts_have_jobs_of_their_own() -> None:
    for object_id, account in (("pi_1", ""), ("pi_2", ""), ("pi_1", "acct_1"), ("pi_1", "")):
        store(object_id, random.randrange(10**9), account)

    assert [job.queueing_lock for job in waiting()] == [
        "stripe payment  pi_1",
        "stripe payment  pi_2",
        "stripe payment acct_1 pi_1",
    ]


def test_an_event_that_comes_while_the_job_runs_gets_another() -> None:
    first = store(NOBODY, 1)
    job = take()
    assert job is not None
    assert job.arguments == {"event_id": first}

    second = store(NOBODY, 2)

    assert [found.args for found in waiting()] == [{"event_id": second}]


def test_a_job_whose_event_is_done_does_the_others_of_the_object(world: World) -> None:
    payment = world.payment()
    world.pay(payment)
    first = store(str(payment.provider_payment_id), 1)
    incoming.process(event_id=first, now=timezone.now())
    store(str(payment.provider_payment_id), 2)

    assert len(waiting()) == 1
    assert work_off() == 1

    assert EventState.RECEIVED not in states()


def test_events_of_an_unknown_object_are_tried_by_one_job_each_for_its_own_time(world: World, rig: StripeRig) -> None:
    rig.fail("error_before", "GET")
    ids = [store(NOBODY, number) for number in range(3)]
    now = timezone.now()
    IncomingEvent.objects.filter(pk=ids[0]).update(
        attempts=incoming.FEWEST_ATTEMPTS, waiting_since=now - incoming.UNREACHABLE_FOR_AT_MOST
    )
    job = take()
    assert job is not None

    incoming.process(event_id=job.arguments["event_id"], now=now)

    found = dict(IncomingEvent.objects.values_list("pk", "state"))
    assert [found[each] for each in ids] == [EventState.FAILED, EventState.RECEIVED, EventState.RECEIVED]
    # By the youngest of those that are left.
    assert [(again.args, again.scheduled_at) for again in waiting()] == [
        ({"event_id": ids[1]}, now + incoming.FIRST_DELAY)
    ]
    assert incoming.sweep(now=now) == 0


def test_a_new_event_brings_the_next_attempt_forward() -> None:
    event = IncomingEvent.objects.get(pk=store(NOBODY, 1))
    assert take() is not None
    storage.defer(event.pk, at=timezone.now() + timedelta(minutes=10), priority=storage.BEHIND)
    assert take() is None

    store(NOBODY, 2)

    (job,) = waiting()
    assert (job.args, job.scheduled_at, job.priority) == ({"event_id": event.pk}, None, storage.ORDINARY)
    # A later attempt does not put it off again.
    storage.defer(event.pk, at=timezone.now() + timedelta(minutes=10), priority=storage.BEHIND)
    (job,) = waiting()
    assert (job.scheduled_at, job.priority) == (None, storage.ORDINARY)


def test_somebody_who_waits_brings_the_job_before_others(world: World) -> None:
    payment = world.payment()
    object_id = str(payment.provider_payment_id)
    IncomingEvent.objects.filter(pk=store(object_id, 1)).update(awaited=False)
    ProcrastinateJob.objects.all()._raw_delete("default")
    storage.defer(IncomingEvent.objects.get().pk, priority=storage.ORDINARY)

    store(object_id, 2)

    assert [job.priority for job in waiting()] == [storage.AWAITED]


@pytest.mark.django_db(transaction=True)
def test_a_job_is_not_taken_while_an_event_that_relies_on_it_is_being_stored(database_url: str) -> None:
    first = store(NOBODY, 1)
    with psycopg.connect(database_url) as server:
        server.execute(
            "INSERT INTO webhooks_incomingevent (provider, event_id, kind, account_id, subject, object_id, payload,"
            " received_at, waiting_since, next_attempt_at, state, attempts, last_error)"
            " SELECT provider, 'evt_late', kind, account_id, subject, object_id, payload, received_at, waiting_since,"
            " next_attempt_at, state, attempts, last_error FROM webhooks_incomingevent"
        )
        statement = storage._DEFER.format(key=storage._KEY, or_sooner=jobs.OR_SOONER)
        values: dict[str, Any] = {"queue": "webhooks", "task": storage.TASK, "priority": 0, "at": None}
        server.execute(statement.replace("id = %(id)s", "event_id = 'evt_late'").encode(), {**values, "id": None})
        assert take() is None
    job = take()
    assert job is not None
    assert job.arguments == {"event_id": first}
    assert not waiting()


@pytest.mark.django_db(transaction=True)
def test_no_event_is_left_without_a_job_when_events_and_workers_meet(world: World) -> None:
    payment = world.payment()
    world.pay(payment)
    object_id = str(payment.provider_payment_id)

    def work() -> int:
        return work_off()

    for round_ in range(8):
        calls = [partial(store, object_id, round_ * 100 + number) for number in range(6)]
        answers = together([*calls, work, work])
        assert not [answer for answer in answers if isinstance(answer, Exception)]

        work_off()

        assert EventState.RECEIVED not in states()
    assert escrow_of(payment).state == EscrowState.FUNDED


def test_an_event_of_nothing_has_no_job(world: World) -> None:
    world.deliver([make_event("invoice.paid")])

    assert not waiting()
