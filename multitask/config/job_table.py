"""The table of jobs as one worker process uses it: take jobs, end them, and report that the process lives.

A job that succeeded is deleted, one that failed stays for the staff. Both happen in the statement that takes the next
jobs, for all queues at once, so a worker needs one statement where it has work and one where it has none.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import psycopg
import structlog
from django.db import connection

from multitask.database import jobs
from multitask.database.errors import is_unavailable

log = structlog.get_logger(__name__)

# An attempt at a job that is still this worker's, or nobody's because the worker counted as dead. Its number rises each
# time the job is taken. So a worker that was silent for too long does not end an attempt that began after its own.
_OF: Final = (
    "id = ANY(%({name})s::bigint[]) AND id || '.' || attempts = ANY(%({name}_attempts)s::text[])"
    " AND status = 'doing' AND (worker_id = %(worker)s OR worker_id IS NULL)"
)
# Each queue has its own LIMIT, and the index on (queue_name, priority, id) finds its next jobs without reading those of
# other queues.
_TAKE: Final = f"""
WITH succeeded AS (
    DELETE FROM procrastinate_jobs WHERE {_OF.format(name="succeeded")}
), failed AS (
    UPDATE procrastinate_jobs SET status = 'failed' WHERE {_OF.format(name="failed")}
), next AS (
    SELECT due.id FROM unnest(%(queues)s::text[], %(free)s::int[]) AS lane (queue, free)
     CROSS JOIN LATERAL (
           SELECT id FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = lane.queue AND (scheduled_at IS NULL OR scheduled_at <= now())
            ORDER BY priority DESC, id LIMIT lane.free
              FOR UPDATE SKIP LOCKED) AS due
)
UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker)s, attempts = attempts + 1
  FROM next WHERE job.id = next.id
RETURNING job.id, job.queue_name, job.task_name, job.args, job.attempts, job.queueing_lock, job.priority
"""  # noqa: S608 - a constant.
_PUT_BACK: Final = _OF.format(name="lost")
# What the table says of this worker without its knowing.
_UNKNOWN: Final = (
    "status = 'doing' AND worker_id = %(worker)s AND NOT id || '.' || attempts = ANY(%(known_attempts)s::text[])"
)
_REGISTER: Final = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
_FORGET_DEAD: Final = f"DELETE FROM procrastinate_workers WHERE {jobs.DEAD}"  # noqa: S608 - a constant.
_UNREGISTER: Final = "DELETE FROM procrastinate_workers WHERE id = %(worker)s"
_HEARTBEAT: Final = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s"


class Attempt(NamedTuple):
    """One attempt at a job: how often it had been taken, with this time."""

    job_id: int
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class TakenJob:
    """A job that this process performs. Each taking is one of its own, even if the database has forgotten another."""

    id: int
    queue: str
    task: str
    encoded: Any
    attempts: int
    queueing_lock: str | None

    @property
    def attempt(self) -> Attempt:
        """Return what identifies this attempt in the table."""
        return Attempt(self.id, self.attempts)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return its arguments. Raises ValueError or RecursionError for JSON that Python cannot read."""
        # Django's connections return JSON as text.
        found: dict[str, Any] = json.loads(self.encoded) if isinstance(self.encoded, str) else self.encoded
        return found


@dataclass(slots=True)
class Ended:
    """The attempts that ended since the last statement.

    The jobs of `again` and `unbegun` are put back, to be performed again; those of `unbegun` were not touched.
    """

    succeeded: list[Attempt] = field(default_factory=list)
    failed: list[Attempt] = field(default_factory=list)
    again: list[Attempt] = field(default_factory=list)
    unbegun: list[Attempt] = field(default_factory=list)

    def attempts(self) -> list[Attempt]:
        """Return all of them."""
        return [*self.succeeded, *self.failed, *self.again, *self.unbegun]


class JobTable:
    """The jobs of one worker process, read and written by its main thread. Errors are Django's, or psycopg's."""

    def __init__(self) -> None:
        """Not registered yet."""
        self._worker: int | None = None

    def register(self) -> None:
        """Register this process as a worker, and forget those that ended without saying so."""
        with connection.cursor() as cursor:
            cursor.execute(_FORGET_DEAD, {"seconds": jobs.STALLED_SECONDS})
            cursor.execute(_REGISTER)
            (self._worker,) = cursor.fetchone()

    def unregister(self) -> None:
        """Remove the registration; jobs that were not ended are then performed by others."""
        with connection.cursor() as cursor:
            cursor.execute(_UNREGISTER, {"worker": self._worker})
        self._worker = None

    def take(self, free: Mapping[str, int], ended: Ended) -> list[TakenJob]:
        """End jobs, and take at most so many of each queue: by priority, then by age.

        A job that cannot be ended is left, so that it holds up no other; `report` puts it back.
        """
        if self._worker is None:
            self.register()
        self._put_back(ended.again, begun=True)
        self._put_back(ended.unbegun, begun=False)
        try:
            rows = self._end_and_take(free, ended)
        except psycopg.errors.ForeignKeyViolation:
            # Others took this process for dead and forgot it.
            self._register_again()
            rows = self._end_and_take(free, ended)
        except psycopg.Error as error:
            if is_unavailable(error) or not ended.attempts():
                raise
            self._end_one_by_one(ended)
            rows = self._end_and_take(free, Ended())
        # RETURNING has no order.
        rows.sort(key=lambda row: (-row[-1], row[0]))
        return [TakenJob(*row[:-1]) for row in rows]

    def report(self, known: Collection[Attempt]) -> None:
        """Report that the process lives; put back jobs that it has without knowing, `known` being those it knows.

        If the database restarts, the commit that took a job may have succeeded although its response was lost. No
        other worker takes such a job over while this one lives.
        """
        if self._worker is None:
            return
        with connection.cursor() as cursor:
            cursor.execute(_HEARTBEAT, {"worker": self._worker})
            if not cursor.rowcount:
                # Others took this process for dead, and perform its jobs.
                self._register_again()
        lost = jobs.put_back(_UNKNOWN, begun=False, worker=self._worker, **_values("known", known))
        if lost:
            log.warning("jobs_put_back", jobs=sorted(job_id for job_id, _ in lost))

    def _register_again(self) -> None:
        log.warning("worker_registered_again")
        self.register()

    def _put_back(self, attempts: Collection[Attempt], *, begun: bool) -> None:
        if attempts:
            jobs.put_back(_PUT_BACK, begun=begun, worker=self._worker, **_values("lost", attempts))

    def _end_and_take(self, free: Mapping[str, int], ended: Ended) -> list[tuple[Any, ...]]:
        values: dict[str, Any] = {
            **_values("succeeded", ended.succeeded),
            **_values("failed", ended.failed),
            "queues": list(free),
            "free": list(free.values()),
            "worker": self._worker,
        }
        # Five times a second, so without Django's wrappers, which cost more than the statement.
        connection.ensure_connection()
        rows: list[tuple[Any, ...]] = connection.connection.execute(_TAKE, values).fetchall()
        return rows

    def _end_one_by_one(self, ended: Ended) -> None:
        alone = [Ended(succeeded=[each]) for each in ended.succeeded] + [Ended(failed=[each]) for each in ended.failed]
        for one in alone:
            try:
                self._end_and_take({}, one)
            except psycopg.Error as error:
                if is_unavailable(error):
                    raise
                log.exception("job_not_ended", job=one.attempts()[0].job_id)


def _values(name: str, attempts: Collection[Attempt]) -> dict[str, Any]:
    """Return the values of a condition on attempts: the ids, which have an index, and the attempts as text."""
    ids = [attempt.job_id for attempt in attempts]
    return {name: ids, f"{name}_attempts": [f"{attempt.job_id}.{attempt.number}" for attempt in attempts]}
