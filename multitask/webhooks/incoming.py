"""The life of an event: received, processed by its job, retried, given up, replayed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from django.contrib.postgres.expressions import ArraySubquery
from django.db import Error, connection
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from multitask import database, providers
from multitask.database import jobs
from multitask.payments.books import audit, statement
from multitask.payments.errors import Forbidden, NotFound, UnknownObject, WrongState
from multitask.payments.funding import card_tokens
from multitask.payments.provider import NO_QUERY, ProviderError, Rejected, SavedCard, SendsWebhooks, Subject, supporting
from multitask.users import powers
from multitask.users.actor import Actor, Power
from multitask.webhooks import dispatch, reduction, storage, together
from multitask.webhooks.errors import EventQuarantined
from multitask.webhooks.models import EventState, IncomingEvent

log = structlog.get_logger(__name__)

# An event may arrive before the response to our own call, which ends well within the hour.
UNKNOWN_FOR_AT_MOST: Final = timedelta(hours=1)
# Providers give up delivering after about three days.
UNREACHABLE_FOR_AT_MOST: Final = timedelta(days=3)
FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=10)
# No attempt is delayed this long: a later time was written by a clock that was ahead.
IMPOSSIBLE_DELAY: Final = timedelta(hours=1)
# No event is given up after fewer attempts, since its apparent waiting time may come from a clock change.
FEWEST_ATTEMPTS: Final = 5
# An event this long overdue without a waiting job has lost its job in a crash.
OVERDUE: Final = timedelta(seconds=10)
_MOST_ROUNDS: Final = 10
# Events are late when the oldest due one has waited this long; then the newest are processed as well.
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
       attempts = attempts + CASE WHEN event.id = ANY(%s) THEN 1 ELSE 0 END
  FROM open WHERE event.id = open.id
RETURNING event.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """The result of a delivery: `row_id` is None for an event that was stored before."""

    row_id: int | None

    @property
    def is_duplicate(self) -> bool:
        """Return whether an earlier delivery had stored the event."""
        return self.row_id is None


def receive(
    *,
    provider_name: str,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime,
    query: Mapping[str, str] = NO_QUERY,
) -> ReceivedEvent:
    """Verify a delivery and store it once, with its job. Raises InvalidSignature."""
    provider = providers.get(provider_name)
    event = supporting(provider, SendsWebhooks).verify_webhook(
        body=body, headers=headers, endpoint="", now=now, query=query
    )
    state = EventState.RECEIVED
    if event.quarantine_reason:
        state = EventState.QUARANTINED
        log.error("webhook quarantined", event_id=event.id, kind=event.kind, reason=event.quarantine_reason)
    elif event.subject is Subject.NOTHING:
        state = EventState.IGNORED
    # The signature covers the whole body; only what support needs of it is kept.
    payload = reduction.reduced(body.decode(), provider.capabilities)
    stored = partial(storage.store, provider=provider.name, event=event, payload=payload, now=now)
    if event.saved_card is not None and state is EventState.IGNORED:
        return ReceivedEvent(row_id=_store_with_card(stored, provider.name, event.saved_card, now))
    return ReceivedEvent(row_id=stored(state=state))


@database.transactional
def _store_with_card(store: Callable[..., int | None], provider: str, card: SavedCard, now: datetime) -> int | None:
    """Store an event that brings a card, and the card, once.

    The card is in the event alone, and of that its token is not stored. So it cannot be processed by a job, and a
    duplicate brings back no card that its owner has removed.
    """
    row_id = store(state=EventState.PROCESSED)
    if row_id is None:
        return None
    reason = card_tokens.store(provider, card, now)
    state = EventState.IGNORED if reason else EventState.PROCESSED
    if reason:
        log.warning("saved card not stored", row_id=row_id, reason=reason)
    IncomingEvent.objects.filter(pk=row_id).update(state=state, last_error=reason, processed_at=Now())
    return row_id


def process(*, event_id: int, now: datetime) -> EventState:
    """Read an event's object from the provider and pass its state to payments.

    It may run twice, concurrently, late or out of order: it reads the object's present state, which payments apply
    idempotently. What cannot be done yet is retried later by another job. The read covers all events of the object
    that were stored before it began: they are finished with this one. If this one is finished already, the job is that
    of the object's others.
    """
    event = _with_same_object().filter(pk=event_id).first()
    if event is None:
        log.error("webhook job without its event", row_id=event_id)
        return EventState.FAILED
    if event.state != EventState.RECEIVED:
        other = _due(now).filter(pk__in=event.same_object).order_by("pk").first() if event.same_object else None
        if other is None:
            return EventState(event.state)
        event = other
    return _process(event, lambda: dispatch.refresh(event, now=now), now)


def _process(event: Any, apply: Callable[[], object], now: datetime) -> EventState:
    """Apply the state of an event's object, and finish the event and the others of its object, or try them later."""
    try:
        apply()
    except dispatch.NotOurs as error:
        state = EventState.QUARANTINED if error.is_suspicious else EventState.IGNORED
        return _finish(event, state, str(error), event.same_object)
    except UnknownObject as error:
        return _try_later(event, f"unknown_object: {error.detail}", now, UNKNOWN_FOR_AT_MOST)
    except Rejected as error:
        # The provider does not send events about objects that are not in the account they name.
        state = EventState.QUARANTINED if event.account_id else EventState.FAILED
        return _finish(event, state, str(error), event.same_object)
    except (ProviderError, Error) as error:
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNREACHABLE_FOR_AT_MOST)
    except Exception as error:
        # An unexpected error must not lose the event: it is retried, then left failed for staff.
        log.exception("webhook stumbled", event_id=event.event_id, kind=event.kind)
        return _try_later(event, f"{type(error).__name__}: {error}", now, UNKNOWN_FOR_AT_MOST)
    marked = _mark(event, EventState.PROCESSED, "", event.same_object)
    if event.account_id:
        statement.expect_soon(statement.of_provider_id(event.provider, event.account_id), now)
    return _reopen(event, now) if _is_overtaken(event, event.read_at, marked) else EventState.PROCESSED


def _with_same_object() -> QuerySet[Any]:
    """Select events, each with the time of this read and the other open events of its object, in one snapshot.

    These events were stored before the provider is read, so its response is newer than they are.
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


def _due(now: datetime) -> QuerySet[Any]:
    """Select open events that were not tried yet, or whose next attempt is due."""
    return _with_same_object().filter(Q(attempts=0) | Q(next_attempt_at__lte=now), state=EventState.RECEIVED)


def process_newest(*, now: datetime, limit: int = 200) -> int:
    """While events are late, process the newest that users wait for; return how many were processed.

    The jobs start from the oldest event, this from the newest, so neither end starves. A run takes `limit` events at
    most, none twice; payments are applied some at a time. The jobs remain: one whose event is finished does nothing,
    and two at once are safe (see `process`).
    """
    taken: list[int] = []
    while len(taken) < limit and are_late(now=now):
        event_ids = list(_newest(now).exclude(pk__in=taken)[: min(together.MOST, limit - len(taken))])
        if not event_ids:
            break
        taken += _process_payments(event_ids, now) or _process_first(event_ids, now)
    return len(taken)


def _process_payments(event_ids: Sequence[int], now: datetime) -> list[int]:
    """Process the events that are about payments, if the first one is; return those that were processed.

    The first is the newest. What comes next waits for no more than one batch, which takes about a second to read.
    """
    events = list(_with_same_object().filter(pk__in=event_ids, state=EventState.RECEIVED).order_by("-pk"))
    if not events or not together.is_possible(events[0]):
        return []
    read = list(together.read(events))
    applied = [each.event for each in together.apply(read, now=now)]
    if applied:
        everything = [pk for event in applied for pk in (event.pk, *event.same_object)]
        _mark_all(everything, EventState.PROCESSED, "", attempted=[event.pk for event in applied])
    for each in read:
        if each.event not in applied:
            _attempt(each.event.pk, partial(_process, each.event, partial(each.apply, now), now))
    return [each.event.pk for each in read]


def _process_first(event_ids: Sequence[int], now: datetime) -> list[int]:
    _attempt(event_ids[0], partial(process, event_id=event_ids[0], now=now))
    return [event_ids[0]]


def _attempt(event_id: int, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("webhook stumbled", row_id=event_id)


def are_late(*, now: datetime) -> bool:
    """Return whether events have waited for long."""
    return IncomingEvent.objects.filter(state=EventState.RECEIVED, next_attempt_at__lte=now - LATE).exists()


def _newest(now: datetime) -> QuerySet[IncomingEvent, int]:
    """Select awaited events that are due, also those received after `now`, newest first."""
    due = Q(attempts=0) | Q(next_attempt_at__lte=now)
    waiting = IncomingEvent.objects.filter(due, state=EventState.RECEIVED, awaited=True)
    return waiting.order_by("-pk").values_list("pk", flat=True)


@database.transactional
def replay(*, actor: Actor, event_id: int, now: datetime, note: str = "") -> IncomingEvent:
    """Process a stored event once more. Raises Forbidden, ProofNeeded, NotFound, WrongState or EventQuarantined."""
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff may replay an event."))
    event = IncomingEvent.objects.select_for_update(no_key=True).filter(pk=event_id).first()
    if event is None:
        raise NotFound
    if event.state == EventState.QUARANTINED:
        raise EventQuarantined
    if event.state == EventState.DISMISSED:
        raise WrongState("This event was dismissed and cannot be replayed.")
    if event.subject == Subject.NOTHING:
        raise WrongState("This event is about nothing that could be read from the provider again.")
    event.state = EventState.RECEIVED
    event.attempts, event.last_error = 0, ""
    event.waiting_since = event.next_attempt_at = now
    event.save()
    # A member of the staff is waiting for it.
    storage.defer(event.pk, priority=storage.AWAITED)
    told = {"event_id": event.event_id, "kind": event.kind}
    audit.record("webhook_replayed", actor=actor, now=now, note=note, details=told)
    return event


def sweep(*, now: datetime, limit: int = 500) -> int:
    """Queue a job for every event whose job was lost; return how many. A job that waits in a long queue is not lost.

    It checks all overdue events, `limit` per transaction. An event whose next attempt is impossibly far ahead gets a
    job too: a clock that was ahead wrote that time.
    """
    overdue = _overdue(now).order_by("next_attempt_at").values_list("pk", flat=True)
    return sum(_sweep_some(batch, now) for batch in jobs.batches(list(overdue), limit))


def are_overdue(*, now: datetime) -> bool:
    """Return whether events wait for longer than they should, with a job or without."""
    return _overdue(now).exists()


def _overdue(now: datetime) -> QuerySet[IncomingEvent]:
    due = Q(next_attempt_at__lte=now - OVERDUE) | Q(next_attempt_at__gt=now + IMPOSSIBLE_DELAY)
    return IncomingEvent.objects.filter(due, state=EventState.RECEIVED)


@database.transactional
def _sweep_some(event_ids: Sequence[int], now: datetime) -> int:
    locked = IncomingEvent.objects.select_for_update(no_key=True, skip_locked=True)
    lost = storage.without_job(locked, by=now + IMPOSSIBLE_DELAY).filter(pk__in=event_ids)
    # Checked again under the lock; as a condition of the query it would lead PostgreSQL to a slower index.
    events = [
        event
        for event in lost.order_by("next_attempt_at", "pk").only("attempts", "awaited", "state", "next_attempt_at")
        if event.state == EventState.RECEIVED and _is_overdue(event, now)
    ]
    for event in events:
        storage.defer(event.pk, priority=storage.priority(event))
    IncomingEvent.objects.filter(pk__in=[event.pk for event in events]).update(next_attempt_at=now)
    return len(events)


def _is_overdue(event: IncomingEvent, now: datetime) -> bool:
    return event.next_attempt_at <= now - OVERDUE or event.next_attempt_at > now + IMPOSSIBLE_DELAY


def _finish(event: IncomingEvent, state: EventState, reason: str, same_object: Collection[int] = ()) -> EventState:
    """Finish the event and the others of its object, and log what needs attention."""
    if state in {EventState.FAILED, EventState.QUARANTINED}:
        log.error("webhook not processed", event_id=event.event_id, kind=event.kind, state=state, reason=reason)
    _mark(event, state, reason, same_object)
    return state


def _mark(event: IncomingEvent, state: EventState, reason: str, same_object: Collection[int]) -> list[int]:
    """Finish events that no other job has finished; return the ids of those that this call finished."""
    return _mark_all([event.pk, *same_object], state, reason, attempted=[event.pk])


def _mark_all(event_ids: list[int], state: EventState, reason: str, *, attempted: list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [event_ids, state.value, reason, attempted])
        return [row_id for (row_id,) in cursor.fetchall()]


def _try_later(event: Any, reason: str, now: datetime, bound: timedelta) -> EventState:
    """Queue another job for the event and the others of its object, with exponential backoff.

    An event that has waited for `bound`, and was tried often enough, is marked failed.
    """
    given_up, at = database.run(lambda: _write_attempt([event.pk, *event.same_object], reason, now, bound))
    for each in given_up:
        log.error("webhook not processed", event_id=each.event_id, kind=each.kind, state="failed", reason=reason)
    if event.pk in {each.pk for each in given_up}:
        return EventState.FAILED
    log.info("webhook waits", event_id=event.event_id, kind=event.kind, reason=reason, until=at and at.isoformat())
    return EventState.RECEIVED


def _write_attempt(
    event_ids: Sequence[int], reason: str, now: datetime, bound: timedelta
) -> tuple[list[IncomingEvent], datetime | None]:
    """Count one attempt at each event; return those that are given up, and when the others are tried again."""
    locked = IncomingEvent.objects.select_for_update(no_key=True).filter(pk__in=event_ids, state=EventState.RECEIVED)
    tried = list(locked.only("event_id", "kind", "attempts", "waiting_since").order_by("pk"))
    given_up = [each for each in tried if now - each.waiting_since >= bound and each.attempts + 1 >= FEWEST_ATTEMPTS]
    left = [each for each in tried if each not in given_up]
    ended = [each.pk for each in given_up]
    _mark_all(ended, EventState.FAILED, reason, attempted=ended)
    if not left:
        return given_up, None
    # The youngest of them may be about something that is known in a second.
    at = now + min(FIRST_DELAY * 2 ** min(*(each.attempts for each in left), 10), LONGEST_DELAY)
    waiting = IncomingEvent.objects.filter(pk__in=[each.pk for each in left])
    waiting.update(attempts=F("attempts") + 1, last_error=reason, next_attempt_at=at)
    storage.defer(left[0].pk, at=at, priority=storage.BEHIND)
    return given_up, at


def _is_overtaken(event: IncomingEvent, read_at: datetime, marked: Collection[int]) -> bool:
    """Return whether another job applied the same account's state while this one worked.

    An account's state can change in both directions, so of two concurrent jobs the one that read first may have
    written last. Each finishes events before it looks for those that others finished, so at least one of them sees the
    other and reads again. `marked` are the events that this job finished; it may be empty when the other was faster.
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
