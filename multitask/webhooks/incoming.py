"""What happens to an event: received, processed by its job, tried again, given up, replayed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.contrib.postgres.expressions import ArraySubquery
from django.db import Error, connection
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from multitask import database, providers
from multitask.database import jobs
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, UnknownObject
from multitask.payments.provider import ProviderError, Rejected, SendsWebhooks, Subject, supporting
from multitask.users import powers
from multitask.users.actor import Actor, Power
from multitask.webhooks import routes, storage
from multitask.webhooks.errors import EventQuarantined
from multitask.webhooks.models import EventState, IncomingEvent

log = structlog.get_logger(__name__)

# Our own call, whose answer an event may overtake, ends well within the hour.
UNKNOWN_FOR_AT_MOST: Final = timedelta(hours=1)
# Providers give up delivering after about three days.
UNREACHABLE_FOR_AT_MOST: Final = timedelta(days=3)
FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=10)
# No attempt is put off for this long: a later time was written by a clock that was ahead.
IMPOSSIBLE_DELAY: Final = timedelta(hours=1)
# No event is given up after fewer attempts, since the time that it seems to have waited may be a clock's jump.
FEWEST_ATTEMPTS: Final = 5
# An event this long overdue, with no job that waits, has lost its job with a worker or the database.
OVERDUE: Final = timedelta(seconds=10)
_MOST_ROUNDS: Final = 10
# Events are late when the oldest that is due has waited this long; then the newest get a share of the work as well.
LATE: Final = timedelta(seconds=5)
# How many events of one object are finished by one read; the next of them reads again.
_SAME_OBJECT: Final = 1_000

# In the order of their ids, so that two jobs of one object wait for each other and do not deadlock.
_MARK: Final = """
WITH open AS (
    SELECT id FROM webhooks_incomingevent WHERE id = ANY(%s) AND state = 'received' ORDER BY id FOR NO KEY UPDATE
)
UPDATE webhooks_incomingevent AS event
   SET state = %s, last_error = %s, processed_at = statement_timestamp(),
       attempts = attempts + CASE WHEN event.id = %s THEN 1 ELSE 0 END
  FROM open WHERE event.id = open.id
RETURNING event.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """The answer to a delivery: `row_id` is None for an event that was here before."""

    row_id: int | None

    @property
    def is_duplicate(self) -> bool:
        """Return whether the event had been stored by an earlier delivery."""
        return self.row_id is None


def receive(*, provider_name: str, body: bytes, headers: Mapping[str, str], now: datetime) -> ReceivedEvent:
    """Verify a delivery and store it once, with its job. Raises InvalidSignature."""
    provider = providers.get(provider_name)
    event = supporting(provider, SendsWebhooks).verify_webhook(body=body, headers=headers, endpoint="", now=now)
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
    over idempotently. Whatever cannot be done yet is tried again later by a job of its own. The read answers all
    events of the object that were stored before it began: they end with this one, and their jobs then do nothing.
    """
    event = _with_same_object().filter(pk=event_id).first()
    if event is None:
        log.error("webhook job without its event", row_id=event_id)
        return EventState.FAILED
    if event.state != EventState.RECEIVED:
        return EventState(event.state)
    try:
        routes.refresh(event, now=now)
    except routes.NotOurs as error:
        state = EventState.QUARANTINED if error.is_suspicious else EventState.IGNORED
        return _finish(event, state, str(error), event.same_object)
    except UnknownObject as error:
        return _try_later(event, f"unknown_object: {error.detail}", now, UNKNOWN_FOR_AT_MOST)
    except Rejected as error:
        # An object that is not in the account that the event names was not sent by the provider's rules.
        state = EventState.QUARANTINED if event.account_id else EventState.FAILED
        return _finish(event, state, str(error), event.same_object)
    except (ProviderError, Error) as error:
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNREACHABLE_FOR_AT_MOST)
    except Exception as error:
        # A refusal that no rule foresees must not lose the event: it is tried on, then left for people to see.
        log.exception("webhook stumbled", event_id=event.event_id, kind=event.kind)
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNKNOWN_FOR_AT_MOST)
    marked = _mark(event, EventState.PROCESSED, "", event.same_object)
    return _reopen(event, now) if _is_overtaken(event, event.read_at, marked) else EventState.PROCESSED


def _with_same_object() -> QuerySet[Any]:
    """Events, each with the moment of this look and the other open events of its object, in one snapshot.

    What this sees was stored before the provider is asked, so the answer is later than those events.
    """
    same = IncomingEvent.objects.filter(
        state=EventState.RECEIVED,
        provider=OuterRef("provider"),
        subject=OuterRef("subject"),
        object_id=OuterRef("object_id"),
        account_id=OuterRef("account_id"),
    ).exclude(pk=OuterRef("pk"))
    ids = same.order_by("pk").values("pk")[:_SAME_OBJECT]
    return IncomingEvent.objects.annotate(read_at=Now(), same_object=ArraySubquery(ids))


def process_newest(*, now: datetime, limit: int = 200) -> int:
    """While events are late, process the newest of those that somebody waits for; return how many were processed.

    The jobs go through these from the oldest, this from the newest, so neither end starves. It ends: no event is
    taken twice in a run, and a run takes `limit`. Nothing is lost, as the jobs stay; nothing is done twice, as a
    job whose event is no longer open does nothing, and two at once do no harm (see `process`).
    """
    taken: list[int] = []
    while len(taken) < limit and _are_late(now):
        event_id = _newest(now).exclude(pk__in=taken).first()
        if event_id is None:
            break
        taken.append(event_id)
        try:
            process(event_id=event_id, now=now)
        except Exception:
            log.exception("webhook stumbled", row_id=event_id)
    return len(taken)


def _are_late(now: datetime) -> bool:
    return IncomingEvent.objects.filter(state=EventState.RECEIVED, next_attempt_at__lte=now - LATE).exists()


def _newest(now: datetime) -> QuerySet[IncomingEvent, int]:
    """Awaited events that are due, also those that came after `now`, the newest first."""
    due = Q(attempts=0) | Q(next_attempt_at__lte=now)
    waiting = IncomingEvent.objects.filter(due, state=EventState.RECEIVED, awaited=True)
    return waiting.order_by("-pk").values_list("pk", flat=True)


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
    # Somebody looks at it now.
    storage.defer(event.pk, priority=storage.AWAITED)
    told = {"event_id": event.event_id, "kind": event.kind}
    audit.record("webhook_replayed", actor=actor, now=now, note=note, details=told)
    return event


def sweep(*, now: datetime, limit: int = 500) -> int:
    """Queue a job for every event that has lost its own; return how many. A long queue is no loss.

    Looks at all that are overdue, `limit` per transaction. An event whose next attempt lies impossibly far ahead
    gets a job too: a clock that was ahead wrote it.
    """
    due = Q(next_attempt_at__lte=now - OVERDUE) | Q(next_attempt_at__gt=now + IMPOSSIBLE_DELAY)
    overdue = IncomingEvent.objects.filter(due, state=EventState.RECEIVED).order_by("next_attempt_at")
    return sum(_sweep_some(batch, now) for batch in jobs.batches(list(overdue.values_list("pk", flat=True)), limit))


@database.transactional
def _sweep_some(event_ids: Sequence[int], now: datetime) -> int:
    queued = jobs.is_queued(storage.TASK, "event_id", by=now + IMPOSSIBLE_DELAY)
    locked = IncomingEvent.objects.select_for_update(no_key=True, skip_locked=True)
    lost = locked.filter(~queued, pk__in=event_ids).order_by("next_attempt_at", "pk")
    # Looked at again under the lock; in the query it would invite an index on what is open, read for each batch.
    events = [
        event
        for event in lost.only("attempts", "awaited", "state", "next_attempt_at")
        if event.state == EventState.RECEIVED and _is_overdue(event, now)
    ]
    for event in events:
        storage.defer(event.pk, priority=storage.priority(event))
    IncomingEvent.objects.filter(pk__in=[event.pk for event in events]).update(next_attempt_at=now)
    return len(events)


def _is_overdue(event: IncomingEvent, now: datetime) -> bool:
    return event.next_attempt_at <= now - OVERDUE or event.next_attempt_at > now + IMPOSSIBLE_DELAY


def _finish(event: IncomingEvent, state: EventState, reason: str, same_object: Collection[int] = ()) -> EventState:
    """Write the end of the event and of the others of its object, and log what people should look at."""
    if state in {EventState.FAILED, EventState.QUARANTINED}:
        log.error("webhook not processed", event_id=event.event_id, kind=event.kind, state=state, reason=reason)
    _mark(event, state, reason, same_object)
    return state


def _mark(event: IncomingEvent, state: EventState, reason: str, same_object: Collection[int]) -> list[int]:
    """Write the end, unless another job has written one; return the ids of the events that this call has ended."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [[event.pk, *same_object], state.value, reason, event.pk])
        return [row_id for (row_id,) in cursor.fetchall()]


def _try_later(event: IncomingEvent, reason: str, now: datetime, bound: timedelta) -> EventState:
    """Queue another job, later each time; after `bound` and enough attempts leave the event failed, for people."""
    if now - event.waiting_since >= bound and event.attempts + 1 >= FEWEST_ATTEMPTS:
        return _finish(event, EventState.FAILED, reason)
    at = now + min(FIRST_DELAY * 2 ** min(event.attempts, 10), LONGEST_DELAY)

    def write() -> None:
        open_event = IncomingEvent.objects.filter(pk=event.pk, state=EventState.RECEIVED)
        if open_event.update(attempts=F("attempts") + 1, last_error=reason, next_attempt_at=at):
            storage.defer(event.pk, at=at, priority=storage.BEHIND)

    database.run(write)
    log.info("webhook waits", event_id=event.event_id, kind=event.kind, reason=reason, until=at.isoformat())
    return EventState.RECEIVED


def _is_overtaken(event: IncomingEvent, read_at: datetime, marked: Collection[int]) -> bool:
    """Return whether another job took over the same account while this one worked.

    An account goes back and forth, so of two jobs at once the one that read first may have written last. Each
    marks events before it looks for those that others have marked, so at least one of them sees the other and works
    once more. `marked` are the events that this job has marked; where the other was faster, none need be left for it.
    """
    if event.subject != Subject.ACCOUNT or event.attempts >= _MOST_ROUNDS:
        return False
    same_account = IncomingEvent.objects.filter(
        subject=Subject.ACCOUNT.value, provider=event.provider, object_id=event.object_id
    )
    by_others = same_account.filter(state=EventState.PROCESSED, processed_at__gte=read_at).exclude(pk__in=marked)
    return by_others.exists()


@database.transactional
def _reopen(event: IncomingEvent, now: datetime) -> EventState:
    IncomingEvent.objects.filter(pk=event.pk).update(state=EventState.RECEIVED, next_attempt_at=now)
    storage.defer(event.pk, priority=storage.AWAITED)
    return EventState.RECEIVED
