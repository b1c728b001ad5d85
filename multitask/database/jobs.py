"""Defer jobs in the same transaction as the change that needs them, so that both or neither are committed.

Jobs are named, not imported, because `multitask.jobs` imports the packages that defer them.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, F, Func, OuterRef, Q, Subquery, Value

# The number of rows that one query covers.
BATCH: Final = 500
# Workers send a heartbeat every ten seconds; after three missed ones a worker counts as dead.
STALLED_SECONDS: Final = 30

# The function that procrastinate itself calls to defer a job.
_JOB: Final = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, %s, NULL, NULL, %s::jsonb, %s::timestamptz)
       ]::procrastinate_job_to_defer_v1[])
"""

# Jobs of one worker: those that are named, and those that are not.
MINE: Final = "status = 'doing' AND worker_id = %(worker)s AND id = ANY(%(ids)s)"
UNKNOWN: Final = "status = 'doing' AND worker_id = %(worker)s AND NOT id = ANY(%(ids)s)"
_STALLED: Final = """
status = 'doing' AND (worker_id IS NULL OR worker_id IN (
    SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => %(seconds)s)))
"""
_HAS_STALLED: Final = f"SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE {_STALLED})"  # noqa: S608 - a constant.
_PURGE: Final = """
DELETE FROM procrastinate_jobs
 WHERE id IN (SELECT id FROM procrastinate_jobs
               WHERE status NOT IN ('todo', 'doing') AND deferred_at < %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""
# Of the jobs with one queueing lock only one may wait, and it does what the others would have done.
_PUT_BACK: Final = """
UPDATE procrastinate_jobs AS job
   SET worker_id = NULL, attempts = attempts + 1,
       status = (CASE WHEN queueing_lock IS NOT NULL AND (queueing_lock = task_name OR EXISTS (
                           SELECT 1 FROM procrastinate_jobs AS other
                            WHERE other.queueing_lock = job.queueing_lock AND other.status = 'todo'))
                      THEN 'failed' ELSE 'todo' END)::procrastinate_job_status
 WHERE {which}
RETURNING id, task_name
"""


def put_back(which: str, **values: int | list[int] | None) -> list[tuple[int, str]]:
    """Let jobs wait again that were taken and not performed to their end; return their ids and tasks.

    A periodic job, whose queueing lock is its name, is deferred again by itself, so it counts as failed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK.format(which=which), values)
        found: list[tuple[int, str]] = cursor.fetchall()
    return found


def retry_stalled() -> list[tuple[int, str]]:
    """Put back the jobs of dead workers; return their ids and tasks."""
    return put_back(_STALLED, seconds=STALLED_SECONDS)


def has_stalled() -> bool:
    """Return whether a dead worker has left a job."""
    with connection.cursor() as cursor:
        cursor.execute(_HAS_STALLED, {"seconds": STALLED_SECONDS})
        (found,) = cursor.fetchone()
    return bool(found)


def purge(*, before: datetime, limit: int = 1_000) -> int:
    """Delete jobs that were deferred before a moment and have ended, `limit` per statement; return how many.

    Only few jobs that have ended are there: those that failed.
    """
    deleted = limit
    total = 0
    while deleted == limit:
        with connection.cursor() as cursor:
            cursor.execute(_PURGE, [before, limit])
            deleted = cursor.rowcount
        total += deleted
    return total


def defer(name: str, *, queue: str, at: datetime | None = None, priority: int = 0, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` after the caller's transaction is committed, not before `at`.

    Of the due jobs of a queue, those with a higher priority run first. Errors are Django's, so that `database.run`
    can retry the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_JOB, [queue, name, priority, json.dumps(arguments), at])


def is_queued(name: str, argument: str, *, by: datetime | None = None) -> Subquery:
    """Return, for each row of a query, whether a job `name` whose `argument` is the row's id still waits to start.

    With `by`, jobs that are scheduled for later than that do not count. A migration of `webhooks` creates an index on
    the argument of each job that is queried here, so it costs one index lookup per row. It counts instead of using
    EXISTS, because PostgreSQL would turn EXISTS into a join, whose plan is poor while the statistics are older than a
    backlog. Query batches of rows by their ids, to keep queries and transactions short.
    """
    from procrastinate.contrib.django.models import ProcrastinateJob  # Its app may not be loaded yet.

    number = Func(F("args"), Value(argument), function="multitask_job_number", output_field=BigIntegerField())
    waiting = ProcrastinateJob.objects.annotate(number=number)
    soon = Q() if by is None else Q(scheduled_at=None) | Q(scheduled_at__lte=by)
    return _Waits(waiting.filter(soon, status="todo", task_name=name, number=OuterRef("pk")).values("pk"))


def is_locked(key: str, *, by: datetime) -> Subquery:
    """Return, for each row of a query, whether a job waits whose queueing lock is the row's `key`.

    Jobs that are scheduled for later than `by` do not count. Costs one look into the index on queueing locks.
    """
    from procrastinate.contrib.django.models import ProcrastinateJob  # Its app may not be loaded yet.

    soon = Q(scheduled_at=None) | Q(scheduled_at__lte=by)
    waiting = ProcrastinateJob.objects.filter(soon, status="todo", queueing_lock=OuterRef(key))
    return _Waits(waiting.values("pk"))


def batches(row_ids: Sequence[int], size: int = BATCH) -> Iterator[Sequence[int]]:
    """Yield the ids in batches, for one query each."""
    for first in range(0, len(row_ids), size):
        yield row_ids[first : first + size]


class _Waits(Subquery):
    """A condition that a subquery has rows, in a form that PostgreSQL does not turn into a join."""

    template = "((SELECT count(*) FROM (%(subquery)s) AS found) > 0)"
    output_field = BooleanField()
