"""Stores an event and its job in one statement: one transaction, one round trip."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import psycopg
from django.db import connection
from procrastinate.contrib.django import app

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

# Procrastinate itself inserts jobs by this function; a test compares the two.
_STORE: Final = """
WITH stored AS (
    INSERT INTO webhooks_incomingevent (
        provider, event_id, kind, account_id, subject, object_id, payload,
        received_at, waiting_since, next_attempt_at, state, attempts, last_error, awaited
    ) VALUES (
        %(provider)s, %(event_id)s, %(kind)s, %(account_id)s, %(subject)s, %(object_id)s, %(payload)s,
        %(now)s, %(now)s, %(now)s, %(state)s, 0, %(last_error)s, {awaited}
    )
    ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING id, awaited
), deferred AS (
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(%(queue)s, %(task)s, CASE WHEN stored.awaited THEN {first} ELSE {ordinary} END, NULL, NULL,
            jsonb_build_object('event_id', stored.id), NULL)
    ]::procrastinate_job_to_defer_v1[]) AS jobs
    FROM stored WHERE %(state)s = 'received'
)
SELECT stored.id, deferred.jobs FROM stored LEFT JOIN deferred ON true
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
    statement = _STORE.format(awaited=priorities.condition(event), first=AWAITED, ordinary=ORDINARY)
    row = _execute_alone(statement, values)
    return None if row is None else int(row[0])


def priority(event: IncomingEvent) -> int:
    """Return the priority of an event's next job."""
    if event.attempts:
        return BEHIND
    return AWAITED if event.awaited else ORDINARY


def defer(event_id: int, *, priority: int = ORDINARY, at: datetime | None = None) -> None:
    """Queue the job of a stored event inside the caller's transaction, not to start before `at`."""
    app.configure_task(TASK, queue=QUEUE, priority=priority, schedule_at=at).defer(event_id=event_id)


def _execute_alone(statement: str, values: Mapping[str, str | datetime]) -> tuple[int, object] | None:
    """Run the statement as its own transaction, and report an unreplicated commit as the backend's COMMIT does."""
    warnings: list[str] = []

    def watch(notice: psycopg.errors.Diagnostic) -> None:
        if is_replication_warning(notice):
            warnings.append(notice.message_primary or "not replicated")

    with connection.cursor() as cursor:
        session = connection.connection
        session.add_notice_handler(watch)
        try:
            cursor.execute(statement, values)
            row: tuple[int, object] | None = cursor.fetchone()
        finally:
            session.remove_notice_handler(watch)
    if warnings:
        raise OutcomeUnknown(f"stored here, but not known to last: {warnings[0]}")
    return row
