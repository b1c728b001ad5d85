"""Defer jobs in the same transaction as the change that needs them, so that both or neither are committed.

Jobs are named, not imported, because `multitask.jobs` imports the packages that defer them.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import Error, connection
from django.db.models import BigIntegerField, BooleanField, F, Func, OuterRef, Q, Subquery, Value

from multitask.database.errors import OutcomeUnknown, is_unavailable
from multitask.database.transactions import run

log = structlog.get_logger(__name__)

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

# The insertion joins a job with its queueing lock that waits already; `OR_SOONER` follows.
_ONCE: Final = """
INSERT INTO procrastinate_jobs AS job (queue_name, task_name, priority, queueing_lock, args)
VALUES (%s, %s, %s, %s, %s::jsonb)
"""

# A worker whose heartbeat lies ahead was alive before the database's clock was set back, and has not reported since.
DEAD: Final = """
last_heartbeat NOT BETWEEN now() - make_interval(secs => %(seconds)s) AND now() + make_interval(secs => %(seconds)s)
"""
_STALLED: Final = f"""
status = 'doing' AND (worker_id IS NULL OR worker_id IN (SELECT id FROM procrastinate_workers WHERE {DEAD}))
"""  # noqa: S608 - a constant.
_HAS_STALLED: Final = f"SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE {_STALLED})"  # noqa: S608 - a constant.
_PURGE: Final = """
DELETE FROM procrastinate_jobs
 WHERE id IN (SELECT id FROM procrastinate_jobs
               WHERE status NOT IN ('todo', 'doing') AND deferred_at < %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""
# What an insertion does when a job with its queueing lock waits already: bring that one forward if it would run later,
# or behind others. It locks the job that waits, also where nothing about it has to change.
OR_SOONER: Final = """
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE
   SET priority = greatest(job.priority, excluded.priority),
       scheduled_at = CASE WHEN job.scheduled_at IS NOT NULL AND excluded.scheduled_at IS NOT NULL
                           THEN least(job.scheduled_at, excluded.scheduled_at) END
 WHERE job.priority < excluded.priority OR job.scheduled_at > coalesce(excluded.scheduled_at, '-infinity')
"""
_COLUMNS: Final = "id, queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, attempts, deferred_at"
# Of the jobs with one queueing lock only one may wait, and it does what the others would have done. Several may have
# been under way, since each waited after the one before was taken. They are inserted again, because only an insertion
# can be a part of the job that waits; an update would fail.
_PUT_BACK: Final = """
WITH lost AS (
    SELECT id, task_name, queueing_lock IS NOT NULL AS has_lock,
           coalesce(queueing_lock = task_name, false) AND %(begun)s AS has_failed
      FROM procrastinate_jobs WHERE {which} ORDER BY id FOR UPDATE SKIP LOCKED
), updated AS (
    UPDATE procrastinate_jobs AS job
       SET worker_id = NULL, abort_requested = false,
           status = (CASE WHEN lost.has_failed THEN 'failed' ELSE 'todo' END)::procrastinate_job_status
      FROM lost WHERE job.id = lost.id AND (lost.has_failed OR NOT lost.has_lock)
), removed AS (
    DELETE FROM procrastinate_jobs AS job USING lost
     WHERE job.id = lost.id AND lost.has_lock AND NOT lost.has_failed
    RETURNING job.*
), inserted AS (
    INSERT INTO procrastinate_jobs AS job ({columns})
    SELECT DISTINCT ON (queueing_lock) {columns} FROM removed ORDER BY queueing_lock, priority DESC, id
    {or_sooner}
)
SELECT id, task_name FROM lost
"""
# The mark is in the arguments of the job, and remembers which attempt has set it.
_BEGIN: Final = """
UPDATE procrastinate_jobs SET args = args || jsonb_build_object('begun', attempts)
 WHERE id = %(id)s AND attempts = %(attempt)s AND status = 'doing'
   AND coalesce((args ->> 'begun')::int, attempts) = attempts
"""

Found = list[tuple[int, str]]


def put_back(which: str, *, begun: bool, **values: Any) -> Found:
    """Let jobs wait again that were taken and not performed to their end; return their ids and tasks.

    `which` is a condition with `values`; rows that another transaction holds are left to it. A periodic job, whose
    queueing lock is its name, counts as failed if it may have begun: it is deferred again by itself. A job that cannot
    be put back stays as it is, without holding up the others.
    """
    values["begun"] = begun
    try:
        return run(lambda: _put_back(which, values))
    except Error as error:
        if is_unavailable(error):
            raise
    found: Found = []
    for job_id in run(lambda: _ids(which, values)):
        try:
            found += run(lambda: _put_back(f"({which}) AND id = %(only)s", {**values, "only": job_id}))  # noqa: B023
        except Error as error:
            if is_unavailable(error):
                raise
            log.exception("job_not_put_back", job=job_id)
    return found


def _put_back(which: str, values: dict[str, Any]) -> Found:
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK.format(which=which, columns=_COLUMNS, or_sooner=OR_SOONER), values)
        found: Found = cursor.fetchall()
    return found


def _ids(which: str, values: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM procrastinate_jobs WHERE {which} ORDER BY id", values)  # noqa: S608
        return [job_id for (job_id,) in cursor.fetchall()]


def retry_stalled() -> Found:
    """Put back the jobs of dead workers; return their ids and tasks."""
    return put_back(_STALLED, begun=True, seconds=STALLED_SECONDS)


def begin_once(job_id: int | None, attempt: int) -> bool:
    """Mark that an attempt at a job begins what must not be done twice; return whether it may.

    False if an earlier attempt has begun it, or if the job was put back meanwhile. Until then any attempt may begin it.
    """

    def mark() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, {"id": job_id, "attempt": attempt})
            return bool(cursor.rowcount)

    try:
        return run(mark)
    except OutcomeUnknown:
        # The same attempt may set its mark again.
        return run(mark)


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


def defer_once(name: str, *, queue: str, lock: str, priority: int = 0, **arguments: int | str) -> None:
    """As `defer`, unless a job with the queueing lock `lock` waits; that one gets the priority if it is higher."""
    with connection.cursor() as cursor:
        cursor.execute(_ONCE + OR_SOONER, [queue, name, priority, lock, json.dumps(arguments)])


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
