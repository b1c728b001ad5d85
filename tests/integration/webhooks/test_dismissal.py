"""Finance staff dismisses an event that can never be processed, and the audit trail records why."""

import pytest
from django.utils import timezone

from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import AuditEvent
from multitask.webhooks import dismissal, incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.integration.marketplace import people
from tests.integration.webhooks.conftest import Post, make_event

pytestmark = pytest.mark.django_db


def stored(post: Post, state: EventState) -> IncomingEvent:
    """An event in this state."""
    post(make_event())
    IncomingEvent.objects.update(state=state, last_error="No such object in this account")
    return IncomingEvent.objects.get()


@pytest.mark.parametrize("state", [EventState.FAILED, EventState.QUARANTINED])
def test_an_event_that_cannot_be_processed_is_dismissed_once(post: Post, state: EventState) -> None:
    event, finance = stored(post, state), people.actor(staff_role="finance")
    for _time in range(2):
        dismissal.dismiss(actor=finance, event_id=event.pk, note="The account was closed", now=timezone.now())
    event.refresh_from_db()
    assert event.state == EventState.DISMISSED
    told = AuditEvent.objects.get(event="webhook_dismissed")
    assert (told.actor_id, told.note) == (finance.user_id, "The account was closed")
    assert told.details == {"event_id": event.event_id, "kind": event.kind, "error": event.last_error}


@pytest.mark.parametrize("state", [EventState.RECEIVED, EventState.PROCESSED, EventState.IGNORED])
def test_an_event_that_is_processed_or_will_be_is_not_dismissed(post: Post, state: EventState) -> None:
    event, finance = stored(post, state), people.actor(staff_role="finance")
    with pytest.raises(WrongState):
        dismissal.dismiss(actor=finance, event_id=event.pk, note="Away with it", now=timezone.now())
    event.refresh_from_db()
    assert event.state == state


def test_a_dismissed_event_is_never_processed(post: Post) -> None:
    event = stored(post, EventState.DISMISSED)
    with pytest.raises(WrongState):
        incoming.replay(actor=people.actor(staff_role="finance"), event_id=event.pk, now=timezone.now())
    assert incoming.process(event_id=event.pk, now=timezone.now()) == EventState.DISMISSED


def test_it_takes_a_reason_and_the_finance_staff(post: Post) -> None:
    event = stored(post, EventState.QUARANTINED)
    with pytest.raises(WrongState):
        dismissal.dismiss(actor=people.actor(staff_role="finance"), event_id=event.pk, note=" ", now=timezone.now())
    for role in ("", "support"):
        with pytest.raises(Forbidden):
            dismissal.dismiss(
                actor=people.actor(client=True, staff_role=role), event_id=event.pk, note="Why", now=timezone.now()
            )
    with pytest.raises(NotFound):
        dismissal.dismiss(actor=people.actor(staff_role="finance"), event_id=0, note="Why", now=timezone.now())
    event.refresh_from_db()
    assert event.state == EventState.QUARANTINED
