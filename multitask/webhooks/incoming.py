"""What happens to an event: received, processed by its job, tried again, given up, replayed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import Error
from django.db.models import F
from django.db.models.functions import Now

from multitask import database, providers
from multitask.database import jobs
from multitask.payments import audit
from multitask.payments.errors import Forbidden, NotFound, UnknownObject
from multitask.payments.provider import ProviderError, Rejected, Subject
from multitask.users import powers
from multitask.users.actor import Actor, Power
from multitask.webhooks import routes, storage
from multitask.webhooks.errors import EventQuarantined
from multitask.webhooks.models import EventState, IncomingEvent

log = structlog.get_logger(__name__)

# Our own call, whose answer an event may overtake, ends well within the hour.
UNKNOWN_FOR_AT_MOST: Final = timedelta(hours=1)
# Stripe itself gives up after three days.
UNREACHABLE_FOR_AT_MOST: Final = timedelta(days=3)
FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=10)
# An event this long overdue, with no job that waits, has lost its job with a worker or the database.
OVERDUE: Final = timedelta(seconds=10)
_MOST_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """The answer to a delivery: `row_id` is None for an event that was here before."""

    row_id: int | None

    @property
    def is_duplicate(self) -> bool:
        """Say whether the event had been stored by an earlier delivery."""
        return self.row_id is None


def receive(*, provider_name: str, body: bytes, signature: str, now: datetime) -> ReceivedEvent:
    """Verify a delivery and store it once, with its job. Raises InvalidSignature."""
    provider = providers.get(provider_name)
    event = provider.verify_webhook(body=body, signature=signature, endpoint="", now=now)
    state = EventState.RECEIVED
    if event.quarantine_reason:
        state = EventState.QUARANTINED
        log.error("webhook quarantined", event_id=event.id, kind=event.kind, reason=event.quarantine_reason)
    elif event.subject is Subject.NOTHING:
        state = EventState.IGNORED
    row_id = storage.store(provider=provider.name, event=event, payload=body.decode(), state=state, now=now)
    return ReceivedEvent(row_id=row_id)


def process(*, event_id: int, now: datetime) -> EventState:
    """Read the event's object from the provider and hand its state to payments; the job's whole work.

    May run twice, at once, late or out of order: what counts is the object as it is now, and payments take it
    over idempotently. Whatever cannot be done yet is tried again later by a job of its own.
    """
    event = IncomingEvent.objects.annotate(read_at=Now()).filter(pk=event_id).first()
    if event is None:
        log.error("webhook job without its event", row_id=event_id)
        return EventState.FAILED
    if event.state != EventState.RECEIVED:
        return EventState(event.state)
    try:
        routes.refresh(event, now=now)
    except routes.NotOurs as error:
        return _finish(event, EventState.QUARANTINED if error.is_suspicious else EventState.IGNORED, str(error))
    except UnknownObject as error:
        return _try_later(event, f"unknown_object: {error.detail}", now, UNKNOWN_FOR_AT_MOST)
    except Rejected as error:
        # An object that is not in the account that the event names was not sent by the provider's rules.
        return _finish(event, EventState.QUARANTINED if event.account_id else EventState.FAILED, str(error))
    except (ProviderError, Error) as error:
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNREACHABLE_FOR_AT_MOST)
    except Exception as error:
        # A refusal that no rule foresees must not lose the event: it is tried on, then left for people to see.
        log.exception("webhook stumbled", event_id=event.event_id, kind=event.kind)
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNKNOWN_FOR_AT_MOST)
    done = _finish(event, EventState.PROCESSED, "")
    return _reopen(event, now) if _is_overtaken(event, event.read_at) else done


@database.transactional
def replay(*, actor: Actor, event_id: int, now: datetime, note: str = "") -> IncomingEvent:
    """Process a stored event once more. Raises Forbidden, ProofNeeded, NotFound or EventQuarantined."""
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff may replay an event."))
    event = IncomingEvent.objects.select_for_update(no_key=True).filter(pk=event_id).first()
    if event is None:
        raise NotFound
    if event.state == EventState.QUARANTINED:
        raise EventQuarantined
    event.state = EventState.RECEIVED
    event.attempts, event.last_error = 0, ""
    event.waiting_since = event.next_attempt_at = now
    event.save()
    storage.defer(event.pk)
    told = {"event_id": event.event_id, "kind": event.kind}
    audit.record("webhook_replayed", actor=actor, now=now, note=note, details=told)
    return event


@database.transactional
def sweep(*, now: datetime, limit: int = 500) -> int:
    """Queue a job for every event that has lost its own; answer how many. A long queue is no loss."""
    overdue = IncomingEvent.objects.select_for_update(no_key=True, skip_locked=True).filter(
        ~jobs.is_queued(storage.TASK, "event_id"), state=EventState.RECEIVED, next_attempt_at__lte=now - OVERDUE
    )
    rows = list(overdue.order_by("next_attempt_at").values_list("pk", flat=True)[:limit])
    for row_id in rows:
        storage.defer(row_id)
    IncomingEvent.objects.filter(pk__in=rows).update(next_attempt_at=now)
    return len(rows)


def _finish(event: IncomingEvent, state: EventState, reason: str) -> EventState:
    """Write the end, unless another job of the same event has written one."""
    if state in {EventState.FAILED, EventState.QUARANTINED}:
        log.error("webhook not processed", event_id=event.event_id, kind=event.kind, state=state, reason=reason)
    open_event = IncomingEvent.objects.filter(pk=event.pk, state=EventState.RECEIVED)
    open_event.update(state=state, last_error=reason, attempts=F("attempts") + 1, processed_at=Now())
    return state


def _try_later(event: IncomingEvent, reason: str, now: datetime, bound: timedelta) -> EventState:
    """Queue another job, later each time; after `bound` leave the event failed, for people to see."""
    if now - event.waiting_since >= bound:
        return _finish(event, EventState.FAILED, reason)
    at = now + min(FIRST_DELAY * 2 ** min(event.attempts, 10), LONGEST_DELAY)

    def write() -> None:
        open_event = IncomingEvent.objects.filter(pk=event.pk, state=EventState.RECEIVED)
        if open_event.update(attempts=F("attempts") + 1, last_error=reason, next_attempt_at=at):
            storage.defer(event.pk, at=at)

    database.run(write)
    log.info("webhook waits", event_id=event.event_id, kind=event.kind, reason=reason, until=at.isoformat())
    return EventState.RECEIVED


def _is_overtaken(event: IncomingEvent, read_at: datetime) -> bool:
    """Say whether another job took over the same account while this one worked.

    An account goes back and forth, so of two jobs at once the one that read first may have written last. Each
    marks its event before it looks for others, so at least one of them sees the other and works once more.
    """
    if event.subject != Subject.ACCOUNT or event.attempts >= _MOST_ROUNDS:
        return False
    same_account = IncomingEvent.objects.filter(
        subject=Subject.ACCOUNT.value, provider=event.provider, object_id=event.object_id
    )
    return same_account.filter(state=EventState.PROCESSED, processed_at__gte=read_at).exclude(pk=event.pk).exists()


@database.transactional
def _reopen(event: IncomingEvent, now: datetime) -> EventState:
    IncomingEvent.objects.filter(pk=event.pk).update(state=EventState.RECEIVED, next_attempt_at=now)
    storage.defer(event.pk)
    return EventState.RECEIVED
