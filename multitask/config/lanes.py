"""The lanes of the worker: each kind of job has its own queue and threads, so that none starves another.

A lane is one procrastinate worker on one queue. All lanes of a process share its event loop and its connections for
fetching jobs; the lane `chores` also defers the periodic jobs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import procrastinate
import structlog
from procrastinate import JobContext
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.worker import Worker

from multitask.config.periodic import PeriodicJobs

CHORES: Final = "chores"
# Every queue has one thread; the remaining threads are distributed by these shares. `polls` and `newest` always have
# one thread: more would only request the same objects from the provider at the same time.
QUEUES: Final = (CHORES, "deadlines", "polls", "newest", "emails", "operations", "webhooks")
SHARES: Final = {CHORES: 1, "emails": 1, "operations": 4, "webhooks": 3}
FEWEST: Final = len(QUEUES)
# Each lane polls for its next job. New jobs are not announced by NOTIFY, because it serializes commits. Users wait for
# operations and webhooks, so these lanes poll more often.
POLLING_SECONDS: Final = {"operations": 0.2, "webhooks": 0.2}
POLLING_SECONDS_OF_OTHERS: Final = 1.0

log = structlog.get_logger(__name__)

# A lane has one queue, so the index on (queue_name, priority, id) finds the next job without reading those of other
# queues. The function of procrastinate takes a list of queues and reads all waiting jobs if its queue has none.
_FETCH: Final = """
WITH next AS (
    SELECT id FROM procrastinate_jobs
     WHERE status = 'todo' AND queue_name = %(queue)s AND (scheduled_at IS NULL OR scheduled_at <= now())
     ORDER BY priority DESC, id LIMIT 1
       FOR UPDATE SKIP LOCKED
)
UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker_id)s
  FROM next WHERE job.id = next.id
RETURNING job.id, job.status, job.task_name, job.priority, job.lock, job.queueing_lock, job.args, job.scheduled_at,
          job.queue_name, job.attempts, job.worker_id
"""

_MINE: Final = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker_id)s"
# Periodic jobs (those with a queueing lock) fail instead: they are deferred again anyway, and only one may wait.
_PUT_BACK: Final = """
UPDATE procrastinate_jobs
   SET worker_id = NULL,
       status = (CASE WHEN queueing_lock IS NULL THEN 'todo' ELSE 'failed' END)::procrastinate_job_status
 WHERE id = ANY(%(ids)s) AND status = 'doing' AND worker_id = %(worker_id)s
"""


def shares(threads: int) -> dict[str, int]:
    """Return the number of threads per queue: at least one each, so at least `FEWEST` threads in all."""
    rest = max(threads, FEWEST) - FEWEST
    more = {queue: rest * share // sum(SHARES.values()) for queue, share in SHARES.items()}
    more["webhooks"] += rest - sum(more.values())
    return {queue: 1 + more.get(queue, 0) for queue in QUEUES}


class LaneJobs(JobManager):
    """Fetch the jobs of one queue. Job locks are not supported, since no task here uses them."""

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next due job of the lane's queue, by priority, then by age."""
        (queue,) = queues or ()
        rows = await self.connector.execute_query_all_async(query=_FETCH, queue=queue, worker_id=worker_id)
        return Job.from_row(rows[0]) if rows else None


class OneAtATime:
    """Run each periodic job at most once at a time in a process; a second run ends without doing anything.

    The `queueing_lock` of a periodic job only prevents a second one from waiting. Without this, the runs of one slow
    job could occupy all threads of its lane.
    """

    def __init__(self) -> None:
        """Start with no running jobs. Everything happens in the event loop, so no lock is needed."""
        self._under_way: set[str] = set()

    async def __call__(self, perform: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        """Perform the job unless it is running already; a middleware of procrastinate's workers."""
        name = context.job.queueing_lock
        if name is None:
            return await perform()
        if name in self._under_way:
            log.info("chore_under_way", task=context.job.task_name)
            return None
        self._under_way.add(name)
        try:
            return await perform()
        finally:
            self._under_way.discard(name)


class Lane(Worker):
    """A worker that performs the jobs of one queue."""

    async def _periodic_deferrer(self) -> None:
        """Defer the periodic jobs in the lane `chores`; in the others, wait forever.

        It may not return: procrastinate stops the worker when the first of its side tasks ends.
        """
        if CHORES in (self.queues or ()):
            await PeriodicJobs(self.app).worker()
        else:
            await asyncio.Event().wait()

    async def _update_heartbeat(self) -> None:
        """Send heartbeats, and put back jobs that were assigned to this lane without its knowledge.

        If the database restarts, the commit that assigned a job may have succeeded although its response was lost.
        The job then belongs to this lane, and no other lane takes it over while this one sends heartbeats.
        """
        suspects: set[int] = set()
        while True:
            await asyncio.sleep(self.update_heartbeat_interval)
            assert self.worker_id is not None  # noqa: S101 - run() has registered it.
            await self.app.job_manager.update_heartbeat(self.worker_id)
            suspects = await self._put_back(suspects)

    async def _put_back(self, suspects: set[int]) -> set[int]:
        """Put back assigned jobs that are not running and were `suspects` last time too; return the new suspects."""
        connector = self.app.job_manager.connector
        taken = await connector.execute_query_all_async(query=_MINE, worker_id=self.worker_id)
        performed = {context.job.id for context in self._running_jobs.values()}
        missing = {int(row["id"]) for row in taken} - performed
        lost = missing & suspects
        if lost:
            log.warning("jobs_put_back", lane=self.worker_name, jobs=sorted(lost))
            await connector.execute_query_async(query=_PUT_BACK, ids=list(lost), worker_id=self.worker_id)
        return missing - lost


def of(running: procrastinate.App, threads: int) -> list[Lane]:
    """Return the lanes of one worker process with `threads` threads in all. The app is open and has its tasks."""
    running.job_manager = LaneJobs(running.connector)
    options: dict[str, Any] = {
        **running.worker_defaults,
        "install_signal_handlers": False,
        "listen_notify": False,
        "worker_middleware": [OneAtATime()],
    }
    return [
        Lane(
            app=running,
            queues=[queue],
            name=queue,
            concurrency=number,
            fetch_job_polling_interval=POLLING_SECONDS.get(queue, POLLING_SECONDS_OF_OTHERS),
            **options,
        )
        for queue, number in shares(threads).items()
    ]
