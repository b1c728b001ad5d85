"""The table of jobs as one worker process uses it: take jobs, end them, and report that the process lives.

A job that succeeded is deleted, one that failed stays for the staff. Both happen in the statement that takes the next
jobs, for all queues at once, so a worker needs one statement where it has work and one where it has none.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from django.db import connection

from multitask.database import jobs

log = structlog.get_logger(__name__)

# Each queue has its own LIMIT, and the index on (queue_name, priority, id) finds its next jobs without reading those of
# other queues. A job that is no longer ours (this process was silent for too long) is left alone.
_TAKE: Final = """
WITH succeeded AS (
    DELETE FROM procrastinate_jobs
     WHERE id = ANY(%(succeeded)s::bigint[]) AND status = 'doing' AND worker_id = %(worker)s
), failed AS (
    UPDATE procrastinate_jobs SET status = 'failed', attempts = attempts + 1
     WHERE id = ANY(%(failed)s::bigint[]) AND status = 'doing' AND worker_id = %(worker)s
), next AS (
    SELECT due.id FROM unnest(%(queues)s::text[], %(free)s::int[]) AS lane (queue, free)
     CROSS JOIN LATERAL (
           SELECT id FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = lane.queue AND (scheduled_at IS NULL OR scheduled_at <= now())
            ORDER BY priority DESC, id LIMIT lane.free
              FOR UPDATE SKIP LOCKED) AS due
)
UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker)s
  FROM next WHERE job.id = next.id
RETURNING job.id, job.queue_name, job.task_name, job.args, job.attempts, job.queueing_lock, job.priority
"""
_REGISTER: Final = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
_FORGET_DEAD: Final = """
DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => %(seconds)s)
"""
_UNREGISTER: Final = "DELETE FROM procrastinate_workers WHERE id = %(worker)s"
_HEARTBEAT: Final = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s"


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job that this process performs."""

    id: int
    queue: str
    task: str
    arguments: dict[str, Any]
    attempts: int
    queueing_lock: str | None


@dataclass(slots=True)
class Ended:
    """The ids of jobs that ended since the last statement; those of `again` are put back, to be performed again."""

    succeeded: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)

    def ids(self) -> list[int]:
        """Return all of them."""
        return [*self.succeeded, *self.failed, *self.again]


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
        """End jobs, and take at most so many of each queue: by priority, then by age."""
        if self._worker is None:
            self.register()
        if ended.again:
            jobs.put_back(jobs.MINE, ids=ended.again, worker=self._worker)
        values: dict[str, Any] = {
            "succeeded": ended.succeeded,
            "failed": ended.failed,
            "queues": list(free),
            "free": list(free.values()),
            "worker": self._worker,
        }
        # Five times a second, so without Django's wrappers, which cost more than the statement.
        connection.ensure_connection()
        rows = connection.connection.execute(_TAKE, values).fetchall()
        # RETURNING has no order.
        rows.sort(key=lambda row: (-row[-1], row[0]))
        return [
            TakenJob(job_id, queue, task, _decoded(arguments), attempts, lock)
            for job_id, queue, task, arguments, attempts, lock, _ in rows
        ]

    def report(self, known: Collection[int]) -> None:
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
                log.warning("worker_registered_again")
                self.register()
        lost = jobs.put_back(jobs.UNKNOWN, ids=list(known), worker=self._worker)
        if lost:
            log.warning("jobs_put_back", jobs=sorted(job_id for job_id, _ in lost))


def _decoded(arguments: Any) -> dict[str, Any]:
    """Return a job's arguments; Django's connections return JSON as text."""
    found: dict[str, Any] = json.loads(arguments) if isinstance(arguments, str) else arguments
    return found
