"""The worker's lanes: each kind of work has a queue and threads of its own, so that none starves another.

A lane is one procrastinate worker on one queue. All lanes of a process share its event loop and its connections for
fetching jobs; the lane of the chores also defers the periodic jobs.
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
# Every queue has one thread; these have more, by the share of each in the rest. One thread is all that `polls` and
# `newest` ever have, as more would only ask the provider for the same objects at once.
QUEUES: Final = (CHORES, "deadlines", "polls", "newest", "emails", "operations", "webhooks")
SHARES: Final = {CHORES: 1, "emails": 1, "operations": 4, "webhooks": 3}
FEWEST: Final = len(QUEUES)
# New jobs are not announced, since a NOTIFY makes all commits wait in one line, so each lane looks for its next job.
# People wait for calls to the provider and for its events; nobody notices a second with the others.
POLLING_SECONDS: Final = {"operations": 0.2, "webhooks": 0.2}
POLLING_SECONDS_OF_OTHERS: Final = 1.0

log = structlog.get_logger(__name__)

# A lane has one queue, so the index on (queue_name, priority, id) gives the next job without reading those of other
# queues: procrastinate's own function takes a list of queues and reads all waiting jobs when its queue has none.
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
# A periodic job comes again by itself, and a second one that waits would be refused.
_PUT_BACK: Final = """
UPDATE procrastinate_jobs
   SET worker_id = NULL,
       status = (CASE WHEN queueing_lock IS NULL THEN 'todo' ELSE 'failed' END)::procrastinate_job_status
 WHERE id = ANY(%(ids)s) AND status = 'doing' AND worker_id = %(worker_id)s
"""


def shares(threads: int) -> dict[str, int]:
    """Share out the worker's threads by queue: at least one each, so fewer than `FEWEST` become that many."""
    rest = max(threads, FEWEST) - FEWEST
    more = {queue: rest * share // sum(SHARES.values()) for queue, share in SHARES.items()}
    more["webhooks"] += rest - sum(more.values())
    return {queue: 1 + more.get(queue, 0) for queue in QUEUES}


class LaneJobs(JobManager):
    """Fetches the jobs of one queue at a time. Locks of jobs are not supported: no task here has one."""

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job of the lane's queue that is due, by priority and then by age."""
        (queue,) = queues or ()
        rows = await self.connector.execute_query_all_async(query=_FETCH, queue=queue, worker_id=worker_id)
        return Job.from_row(rows[0]) if rows else None


class OneAtATime:
    """Lets at most one run of each periodic job be under way in a process; a second one ends without work.

    A `queueing_lock`, which each periodic job has, only keeps a second one from waiting. So one slow chore would
    take all threads of its lane, run by run.
    """

    def __init__(self) -> None:
        """Begin with none under way. All of this happens in the event loop, so it needs no lock."""
        self._under_way: set[str] = set()

    async def __call__(self, perform: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        """Perform the job unless it is under way; a middleware of procrastinate's workers."""
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
    """Performs the jobs of one queue."""

    async def _periodic_deferrer(self) -> None:
        """Defer the periodic jobs in one lane; in the others do nothing, without an end.

        Procrastinate watches over its tasks beside the jobs until the first of them ends.
        """
        if CHORES in (self.queues or ()):
            await PeriodicJobs(self.app).worker()
        else:
            await asyncio.Event().wait()

    async def _update_heartbeat(self) -> None:
        """Report that the lane lives, and put back jobs that it has taken without knowing.

        When the database restarts, the commit that took a job may stand although its answer was lost: the job is
        this lane's then, and as long as the lane lives no other takes it over.
        """
        suspects: set[int] = set()
        while True:
            await asyncio.sleep(self.update_heartbeat_interval)
            assert self.worker_id is not None  # noqa: S101 - run() has registered it.
            await self.app.job_manager.update_heartbeat(self.worker_id)
            suspects = await self._put_back(suspects)

    async def _put_back(self, suspects: set[int]) -> set[int]:
        """Put back those of the jobs that were suspects at the last look too; return the suspects of this one."""
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
    """Make the lanes of one worker process with that many threads in all; the app is open and knows its tasks."""
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
