"""One worker process: a main thread that takes jobs for all lanes, and the threads of each lane that perform them.

One statement ends jobs and takes as many as there are free threads (`JobTable`). It runs five times a second, and at
once when a job ends in a lane that had no free thread, since others may wait there. New jobs are not announced by
NOTIFY, because it serializes commits. If the database is lost, what has ended is kept until it is back.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import psycopg
import structlog
from django.db import Error, connection
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from psycopg_pool import PoolTimeout

from multitask.config.job_table import Ended, JobTable, TakenJob

# Users wait for operations and webhooks.
LOOK_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 1.0
# How long the connection of a thread that has nothing to do stays out of the pool.
IDLE_SECONDS: Final = 1.0
LOST: Final = (Error, psycopg.Error, PoolTimeout, OSError)

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """How the performance of a job ended. `again`: its connection was lost, so it is put back."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Performed:
    """A job that has ended."""

    job: TakenJob
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that a lane does for this process alone: it looks whether a periodic job has work."""

    name: str
    work: Callable[[], None]


class WorkerLoop:
    """The lanes of one process, with so many threads by queue; `app` has its tasks."""

    def __init__(self, app: App, threads: Mapping[str, int]) -> None:
        """Start nothing yet."""
        self._app = app
        self._shares = threads
        self._table = JobTable()
        # None wakes the main thread. `put` of this queue may be called by the handler of a signal.
        self._news: queue.SimpleQueue[Performed | None] = queue.SimpleQueue()
        self._inboxes: dict[str, queue.SimpleQueue[TakenJob | Errand | None]] = {
            name: queue.SimpleQueue() for name in self._shares
        }
        self._errands: set[str] = set()
        self._running: dict[int, TakenJob] = {}
        self._ended = Ended()
        self._reported_at = 0.0
        self._is_stopping = False

    def stop(self) -> None:
        """Take no more jobs; `run` returns when those under way have ended. A signal handler may call it."""
        self._is_stopping = True
        self._news.put(None)

    def begin(self, lane: str, name: str, work: Callable[[], None]) -> None:
        """Let a thread of a lane do something that is no job, unless the one with this name is waiting or under way."""
        if name not in self._errands:
            self._errands.add(name)
            self._inboxes[lane].put(Errand(name, work))

    def run(self) -> None:
        """Perform jobs until stopped."""
        threads = [
            threading.Thread(target=self._work, args=(name,), name=f"{name}-{number}", daemon=True)
            for name, number in self._shares.items()
            for number in range(number)
        ]
        for thread in threads:
            thread.start()
        while not self._is_stopping:
            try:
                self._turn()
            except LOST as error:
                log.warning("worker_lost_database", fault=type(error).__name__)
                connection.close()
                self._await_turn(PAUSE_SECONDS, is_early=False)
            else:
                self._await_turn(LOOK_SECONDS)
        self._finish(threads)

    def _turn(self) -> None:
        """End what has ended, and take what is next."""
        if time.monotonic() - self._reported_at >= HEARTBEAT_SECONDS:
            self._table.report([*self._running, *self._ended.ids()])
            self._reported_at = time.monotonic()
        ended = self._ended
        jobs = self._table.take(self._free(), ended)
        self._ended = Ended()
        for job in jobs:
            self._running[job.id] = job
            self._begin(job)

    def _free(self) -> Mapping[str, int]:
        busy = Counter(job.queue for job in self._running.values())
        return {name: number - busy[name] for name, number in self._shares.items() if number > busy[name]}

    def _begin(self, job: TakenJob) -> None:
        """Give the job to its lane. A periodic job that is running already in this process ends at once.

        Its queueing lock only prevents a second one from waiting. Otherwise the runs of one slow job could occupy all
        threads of its lane.
        """
        is_periodic = job.queueing_lock == job.task
        if is_periodic and any(each.task == job.task and each.id != job.id for each in self._running.values()):
            log.info("chore_under_way", task=job.task)
            self._end(Performed(job, Outcome.SUCCEEDED))
        else:
            self._inboxes[job.queue].put(job)

    def _await_turn(self, seconds: float, *, is_early: bool = True) -> None:
        """Wait until it is time for the next turn; with `is_early`, only until a full lane has a free thread."""
        deadline = time.monotonic() + seconds
        full = {name for name in self._shares if name not in self._free()} if is_early else set()
        while not self._is_stopping and (left := deadline - time.monotonic()) > 0:
            ended = self._await_news(left)
            if ended is not None and ended.queue in full:
                break
        self._drain()

    def _await_news(self, seconds: float) -> TakenJob | None:
        """Wait until a job has ended, and return it; None if none has."""
        try:
            news = self._news.get(timeout=seconds)
        except queue.Empty:
            return None
        if news is None:
            return None
        self._end(news)
        return news.job

    def _drain(self) -> None:
        while not self._news.empty():
            self._await_news(0)

    def _end(self, performed: Performed) -> None:
        del self._running[performed.job.id]
        ids: list[int] = getattr(self._ended, performed.outcome.value)
        ids.append(performed.job.id)

    def _finish(self, threads: list[threading.Thread]) -> None:
        """Wait for the jobs under way, and end them."""
        for name, number in self._shares.items():
            for _ in range(number):
                self._inboxes[name].put(None)
        for thread in threads:
            while thread.is_alive():
                thread.join(HEARTBEAT_SECONDS)
                self._attempt(lambda: self._table.report([*self._running, *self._ended.ids()]))
        self._drain()
        self._attempt(lambda: self._table.take({}, self._ended))
        self._attempt(self._table.unregister)
        connection.close()

    def _attempt(self, write: Any) -> None:
        """What cannot be written at the end is found by other workers."""
        try:
            write()
        except LOST as error:
            log.warning("worker_lost_database", fault=type(error).__name__)
            connection.close()

    # -- the threads of the lanes

    def _work(self, lane: str) -> None:
        inbox = self._inboxes[lane]
        while True:
            try:
                job = inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                connection.close()
                job = inbox.get()
            if job is None:
                connection.close()
                return
            if isinstance(job, Errand):
                self._run_errand(job)
            else:
                self._news.put(Performed(job, self._perform(job)))

    def _run_errand(self, errand: Errand) -> None:
        try:
            errand.work()
        except Exception:
            log.exception("errand_failed", name=errand.name)
            connection.close()
        finally:
            self._errands.discard(errand.name)

    def _perform(self, job: TakenJob) -> Outcome:
        try:
            task = self._app.tasks[job.task]
            context = [self._context(job)] if task.pass_context else []
            task.func(*context, **job.arguments)
        except BaseException as error:
            is_lost = isinstance(error, LOST) and not _is_connected()
            log.exception("job_put_back" if is_lost else "job_failed", task=job.task, job=job.id)
            connection.close()
            return Outcome.AGAIN if is_lost else Outcome.FAILED
        if connection.errors_occurred:
            connection.close()
        return Outcome.SUCCEEDED

    def _context(self, job: TakenJob) -> JobContext:
        """Return what a job may ask of procrastinate: how often it was attempted."""
        return JobContext(
            app=self._app,
            job=Job(
                id=job.id,
                queue=job.queue,
                lock=None,
                queueing_lock=job.queueing_lock,
                task_name=job.task,
                task_kwargs=job.arguments,
                attempts=job.attempts,
            ),
            start_timestamp=time.time(),
            abort_reason=lambda: None,
        )


def _is_connected() -> bool:
    """Return whether this thread's connection still works."""
    return connection.connection is not None and connection.is_usable()
