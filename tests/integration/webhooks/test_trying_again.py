"""Events that cannot be applied yet are retried with exponential backoff, and finally left to staff."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from multitask.money import Money
from multitask.payments.models import Payment
from multitask.payments.operations import engine
from multitask.payments.states import EscrowState
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.contract.rigs import StripeRig
from tests.integration.webhooks.conftest import make_event
from tests.integration.webhooks.world import World, customer_key, escrow_of, states

pytestmark = pytest.mark.django_db


def ours_but_unknown(world: World) -> IncomingEvent:
    """An event about a payment with a reference of ours that no row here knows."""
    engine.provider_named("stripe").create_payment(
        reference="create_payment:999999999:1",
        amount=Money(1_000, "USD"),
        customer_id="",
        description="",
        key=customer_key(),
    )
    events = world.news()
    world.deliver(events[:1])
    return IncomingEvent.objects.get()


def test_what_is_ours_but_not_known_yet_is_tried_again(world: World) -> None:
    event = ours_but_unknown(world)
    before = timezone.now()

    pauses: list[timedelta] = []
    for _ in range(2):
        assert take_job().scheduled_at is None or pauses
        assert incoming.process(event_id=event.pk, now=before) == EventState.RECEIVED
        pauses.append(ProcrastinateJob.objects.get().scheduled_at - before)

    event.refresh_from_db()
    assert (event.attempts, event.state) == (2, EventState.RECEIVED)
    assert "unknown_object" in event.last_error
    assert pauses == [timedelta(seconds=1), timedelta(seconds=2)]
    assert event.next_attempt_at == before + pauses[-1]


def take_job() -> ProcrastinateJob:
    """The only job that waits, which a worker takes."""
    job: ProcrastinateJob = ProcrastinateJob.objects.get(task_name="process_webhook")
    ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete("default")
    return job


def test_what_stays_unknown_is_left_for_people_to_see(world: World) -> None:
    event = ours_but_unknown(world)
    tried_before(event)

    assert incoming.process(event_id=event.pk, now=event.received_at + timedelta(minutes=61)) == EventState.FAILED

    event.refresh_from_db()
    assert event.state == EventState.FAILED
    assert "unknown_object" in event.last_error


def test_a_provider_that_does_not_answer_is_asked_again(world: World, rig: StripeRig) -> None:
    payment = world.payment()
    world.pay(payment)
    # One event alone: the read for another of the same object would answer this one too.
    world.deliver(event for event in world.news() if event["type"] == "payment_intent.succeeded")
    rig.fail("drop_response", "GET")

    world.process()
    waiting = IncomingEvent.objects.filter(state=EventState.RECEIVED)
    assert waiting.count() == 1
    assert "Unknown" in waiting.get().last_error

    world.process()
    assert escrow_of(payment).state == EscrowState.FUNDED.value
    assert EventState.RECEIVED not in states()


def test_a_provider_that_never_answers_again_ends_the_event(world: World, rig: StripeRig) -> None:
    payment = world.payment()
    event = stored(world, make_event("payment_intent.succeeded"), payment)
    rig.fail("rate_limit", "GET")
    tried_before(event)

    assert incoming.process(event_id=event.pk, now=timezone.now() + timedelta(days=3)) == EventState.FAILED


def tried_before(event: IncomingEvent) -> None:
    """Set the number of attempts so that the next one may be the last."""
    IncomingEvent.objects.filter(pk=event.pk).update(attempts=incoming.FEWEST_ATTEMPTS - 1)


def test_no_event_is_given_up_by_a_jump_of_the_clock_alone(world: World) -> None:
    event = ours_but_unknown(world)
    ahead = event.received_at + timedelta(days=400)

    states = [incoming.process(event_id=event.pk, now=ahead) for _ in range(incoming.FEWEST_ATTEMPTS)]

    assert states == [EventState.RECEIVED] * (incoming.FEWEST_ATTEMPTS - 1) + [EventState.FAILED]


def test_what_a_clock_that_was_ahead_put_off_is_tried_again_at_once(world: World) -> None:
    event = ours_but_unknown(world)
    now = event.received_at
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert incoming.process(event_id=event.pk, now=now + timedelta(hours=21)) == EventState.RECEIVED

    assert incoming.sweep(now=now) == 1
    assert incoming.sweep(now=now) == 0
    # The job of the clock that was ahead is brought forward.
    assert take_job().scheduled_at is None

    assert incoming.sweep(now=now + incoming.OVERDUE) == 1


def test_an_attempt_that_is_to_come_is_not_swept(world: World) -> None:
    event = ours_but_unknown(world)
    IncomingEvent.objects.filter(pk=event.pk).update(attempts=40)
    ProcrastinateJob.objects.all()._raw_delete("default")
    now = event.received_at

    incoming.process(event_id=event.pk, now=now)

    assert incoming.sweep(now=now) == 0


def stored(world: World, event: dict[str, Any], payment: Payment) -> IncomingEvent:
    event["data"]["object"]["id"] = payment.provider_payment_id
    world.deliver([event])
    return IncomingEvent.objects.get(event_id=event["id"])


def test_the_pauses_grow_to_ten_minutes(world: World) -> None:
    event = ours_but_unknown(world)
    IncomingEvent.objects.filter(pk=event.pk).update(attempts=40)
    now = timezone.now()

    incoming.process(event_id=event.pk, now=now)

    event.refresh_from_db()
    assert event.next_attempt_at == now + timedelta(minutes=10)


def test_an_object_that_does_not_exist_ends_the_event(world: World) -> None:
    event = make_event("refund.updated")
    event["data"]["object"]["id"] = "re_1DoesNotExist"
    world.deliver([event])

    world.process()

    assert states() == {EventState.FAILED: 1}
    assert "resource_missing" in IncomingEvent.objects.get().last_error
