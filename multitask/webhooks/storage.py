"""Stores an event and its job in one statement: one transaction, one round trip.

An object has at most one waiting job, its queueing lock, however many events come: whatever is stored before the job
reads the object is answered by that read. An event that finds a waiting job locks it until the event is committed, so
the job cannot be taken in between and miss the event.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import psycopg
from django.db import connection
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat

from multitask.database import Statement, jobs
from multitask.database.errors import OutcomeUnknown, is_replication_warning
from multitask.payments.provider import InboundEvent
from multitask.webhooks import priorities
from multitask.webhooks.models import EventState, IncomingEvent

# Jobs are named, not imported: `multitask.jobs` may import this package, not the reverse.
TASK: Final = "process_webhook"
QUEUE: Final = "webhooks"

# Priorities of jobs: objects that users wait for, all others, and retries. An object that stays unknown is retried
# for an hour and must not delay first attempts.
AWAITED: Final = 10
ORDINARY: Final = 0
BEHIND: Final = -10

# The object of an event, as the queueing lock of its job.
_KEY: Final = "provider || ' ' || subject || ' ' || account_id || ' ' || object_id"
# Each parameter has its type, since a prepared statement deduces another from each column that it is compared with.
_STORE: Final = """
WITH stored AS (
    INSERT INTO webhooks_incomingevent (
        provider, event_id, kind, account_id, subject, object_id, payload,
        received_at, waiting_since, next_attempt_at, state, attempts, last_error, awaited
    ) VALUES (
        %(provider)s::text, %(event_id)s::text, %(kind)s::text, %(account_id)s::text, %(subject)s::text,
        %(object_id)s::text, %(payload)s::text, %(now)s::timestamptz, %(now)s::timestamptz, %(now)s::timestamptz,
        %(state)s::text, 0, %(last_error)s::text, {awaited}
    )
    ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING id, awaited, provider, subject, account_id, object_id
), deferred AS (
    INSERT INTO procrastinate_jobs AS job (queue_name, task_name, priority, queueing_lock, args)
    SELECT %(queue)s::text, %(task)s::text, CASE WHEN awaited THEN {first} ELSE {ordinary} END, {key},
           jsonb_build_object('event_id', id)
      FROM stored WHERE %(state)s::text = 'received'
    {or_sooner}
)
SELECT id FROM stored
"""
_DEFER: Final = """
INSERT INTO procrastinate_jobs AS job (queue_name, task_name, priority, queueing_lock, args, scheduled_at)
SELECT %(queue)s, %(task)s, %(priority)s, {key}, jsonb_build_object('event_id', id), %(at)s::timestamptz
  FROM webhooks_incomingevent WHERE id = %(id)s
{or_sooner}
"""


def store(*, provider: str, event: InboundEvent, payload: str, state: EventState, now: datetime) -> int | None:
    """Store a new event, with its job if it is to be processed; return its row's id, None for a duplicate.

    Raises OutcomeUnknown when the row may be lost in a failover.
    """
    values = {
        "provider": provider,
        "event_id": event.id,
        "kind": event.kind,
        "account_id": event.account_id,
        "subject": event.subject.value,
        "object_id": event.object_id,
        "payload": payload,
        "now": now,
        "state": state.value,
        "last_error": event.quarantine_reason,
        "queue": QUEUE,
        "task": TASK,
        **priorities.parameters(event),
    }
    row = _execute_alone(_statement(priorities.condition(event)), values)
    return None if row is None else int(row[0])


def priority(event: IncomingEvent) -> int:
    """Return the priority of an event's next job."""
    if event.attempts:
        return BEHIND
    return AWAITED if event.awaited else ORDINARY


def defer(event_id: int, *, priority: int = ORDINARY, at: datetime | None = None) -> None:
    """Queue the job of an event's object inside the caller's transaction, not to start before `at`.

    A job of the object that waits already is brought forward if it would run later, or behind others.
    """
    values: dict[str, Any] = {"queue": QUEUE, "task": TASK, "priority": priority, "id": event_id, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_DEFER.format(key=_KEY, or_sooner=jobs.OR_SOONER), values)


def without_job(events: QuerySet[IncomingEvent], *, by: datetime) -> QuerySet[IncomingEvent]:
    """Select those of the events of whose object no job waits; one that is scheduled for later than `by` is none."""
    key = Concat("provider", Value(" "), "subject", Value(" "), "account_id", Value(" "), "object_id")
    return events.alias(job_key=key).filter(~jobs.is_locked("job_key", by=by))


@cache
def _statement(awaited: str) -> Statement:
    return Statement(
        _STORE.format(awaited=awaited, first=AWAITED, ordinary=ORDINARY, key=_KEY, or_sooner=jobs.OR_SOONER)
    )


def _execute_alone(statement: Statement, values: Mapping[str, str | datetime]) -> tuple[Any, ...] | None:
    """Run the statement as its own transaction, and report an unreplicated commit as the backend's COMMIT does."""
    warnings: list[str] = []

    def watch(notice: psycopg.errors.Diagnostic) -> None:
        if is_replication_warning(notice):
            warnings.append(notice.message_primary or "not replicated")

    connection.ensure_connection()
    session = connection.connection
    session.add_notice_handler(watch)
    try:
        rows = statement.rows(values)
    finally:
        session.remove_notice_handler(watch)
    if warnings:
        raise OutcomeUnknown(f"stored here, but not known to last: {warnings[0]}")
    return rows[0] if rows else None
