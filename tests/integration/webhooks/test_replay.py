"""Finance staff replays a stored event, and the audit trail records it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from multitask.payments.errors import Forbidden, NotFound
from multitask.payments.models import AuditEvent
from multitask.users.actor import Actor
from multitask.webhooks import incoming, storage
from multitask.webhooks.errors import EventQuarantined
from multitask.webhooks.models import EventState, IncomingEvent
from tests.integration.marketplace import people
from tests.integration.webhooks.conftest import Post, make_event

pytestmark = pytest.mark.django_db


def failed_event(post: Post) -> IncomingEvent:
    """An event that was given up."""
    post(make_event())
    event = IncomingEvent.objects.get()
    event.state, event.attempts, event.last_error = EventState.FAILED, 7, "unknown_object: pi_1"
    event.save()
    return event


def test_a_failed_event_is_processed_again(post: Post) -> None:
    event = failed_event(post)
    finance = people.actor(staff_role="finance")
    now = timezone.now() + timedelta(days=5)

    replayed = incoming.replay(actor=finance, event_id=event.pk, now=now)

    event.refresh_from_db()
    audit = AuditEvent.objects.get(event="webhook_replayed")
    assert replayed.pk == event.pk
    assert (event.state, event.attempts, event.last_error) == (EventState.RECEIVED, 0, "")
    assert (event.waiting_since, event.next_attempt_at) == (now, now)
    # The job that was waiting is brought forward.
    job = ProcrastinateJob.objects.get(args={"event_id": event.pk})
    assert (job.priority, job.scheduled_at) == (storage.AWAITED, None)
    assert (audit.actor_id, audit.at) == (finance.user_id, now)
    assert audit.details == {"event_id": event.event_id, "kind": event.kind}


def test_a_replayed_event_has_its_whole_time_again(post: Post) -> None:
    event = failed_event(post)
    now = event.received_at + timedelta(days=5)

    incoming.replay(actor=Actor.system("test"), event_id=event.pk, now=now)

    assert incoming.process(event_id=event.pk, now=now + timedelta(minutes=1)) == EventState.RECEIVED


@pytest.mark.parametrize("role", ["", "support"])
def test_nobody_else_may_replay(post: Post, role: str) -> None:
    event = failed_event(post)

    with pytest.raises(Forbidden):
        incoming.replay(actor=people.actor(client=True, staff_role=role), event_id=event.pk, now=timezone.now())

    event.refresh_from_db()
    assert event.state == EventState.FAILED
    assert not AuditEvent.objects.filter(event="webhook_replayed").exists()


def test_an_event_that_does_not_exist_cannot_be_replayed() -> None:
    with pytest.raises(NotFound):
        incoming.replay(actor=Actor.system("test"), event_id=999_999_999, now=timezone.now())


def test_a_quarantined_event_stays_where_it_is(post: Post) -> None:
    event = failed_event(post)
    IncomingEvent.objects.update(state=EventState.QUARANTINED)

    with pytest.raises(EventQuarantined):
        incoming.replay(actor=Actor.system("test"), event_id=event.pk, now=timezone.now())
