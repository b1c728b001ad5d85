"""One worker process: a main thread that takes jobs for all lanes, and the threads of each lane that perform them.

One statement ends jobs and takes as many as there are free threads (`JobTable`). It runs five times a second, and at
once when a job ends in a lane that had no free thread, since others may wait there. New jobs are not announced by
NOTIFY, because it serializes commits. If the database is lost, what has ended is kept until it is back. Any other error
of these threads ends the process in order, so that its supervisor starts it again.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import psycopg
import structlog
from django.db import Error, connection
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from psycopg_pool import PoolTimeout

from multitask.config.job_table import Attempt, Ended, JobTable, TakenJob
from multitask.database.errors import is_unavailable

# Users wait for operations and webhooks.
LOOK_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 1.0
# How long the connection of a thread that has nothing to do stays out of the pool.
IDLE_SECONDS: Final = 1.0
LOST: Final = (Error, psycopg.Error, PoolTimeout, OSError)

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """How the performance of a job ended.

    `again`: its connection was lost, so it is put back; `unbegun`: so is this one, which was not begun.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    AGAIN = "again"
    UNBEGUN = "unbegun"


@dataclass(frozen=True, slots=True)
class Performed:
    """A job that has ended."""

    job: TakenJob
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LocalTask:
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
        self._inboxes: dict[str, queue.SimpleQueue[TakenJob | LocalTask | None]] = {
            name: queue.SimpleQueue() for name in self._shares
        }
        self._local_tasks: set[str] = set()
        # A job may be in it twice: others put it back while this process was suspended, and it took the job again.
        self._running: set[TakenJob] = set()
        self._ended = Ended()
        self._reported_at = 0.0
        self._is_stopping = False
        self._fault: BaseException | None = None

    def stop(self) -> None:
        """Take no more jobs; `run` returns when those under way have ended. A signal handler may call it."""
        self._is_stopping = True
        self._news.put(None)

    def fail(self, fault: BaseException) -> None:
        """Stop because of an error that leaves the process unable to do its work; `run` raises the first such error."""
        log.critical("worker_failed", exc_info=fault)
        self._fault = self._fault or fault
        self.stop()

    def begin(self, lane: str, name: str, work: Callable[[], None]) -> None:
        """Let a thread of a lane do something that is no job, unless the one with this name is waiting or under way."""
        if name not in self._local_tasks:
            self._local_tasks.add(name)
            self._inboxes[lane].put(LocalTask(name, work))

    def run(self) -> None:
        """Perform jobs until stopped. Raises the error that stopped it, after the jobs under way have ended."""
        threads = [
            threading.Thread(target=self._work, args=(name,), name=f"{name}-{number}", daemon=True)
            for name, number in self._shares.items()
            for number in range(number)
        ]
        for thread in threads:
            thread.start()
        while not self._is_stopping:
            try:
                is_there = self._turn()
                self._await_turn(LOOK_SECONDS if is_there else PAUSE_SECONDS, is_early=is_there)
            except Exception as error:
                self.fail(error)
        self._finish(threads)
        if self._fault is not None:
            raise self._fault

    def _turn(self) -> bool:
        """End what has ended, and take what is next; return whether the database was there.

        The heartbeat follows, so that it tells of a process that takes jobs.
        """
        try:
            jobs = self._table.take(self._free(), self._ended)
            self._ended = Ended()
            for job in jobs:
                self._running.add(job)
                self._begin(job)
            if time.monotonic() - self._reported_at >= HEARTBEAT_SECONDS:
                self._table.report(self._known())
                self._reported_at = time.monotonic()
        except Exception as error:
            if not is_unavailable(error):
                raise
            _put_off(error)
            return False
        return True

    def _known(self) -> list[Attempt]:
        return [*(job.attempt for job in self._running), *self._ended.attempts()]

    def _free(self) -> Mapping[str, int]:
        busy = Counter(job.queue for job in self._running)
        return {name: number - busy[name] for name, number in self._shares.items() if number > busy[name]}

    def _begin(self, job: TakenJob) -> None:
        """Give the job to its lane. A periodic job that is running already in this process ends at once.

        Its queueing lock only prevents a second one from waiting. Otherwise the runs of one slow job could occupy all
        threads of its lane.
        """
        is_periodic = job.queueing_lock == job.task
        if is_periodic and any(each.task == job.task and each is not job for each in self._running):
            log.info("periodic_job_already_running", task=job.task)
            self._end(Performed(job, Outcome.SUCCEEDED))
        else:
            self._inboxes[job.queue].put(job)

    def _await_turn(self, seconds: float, *, is_early: bool) -> None:
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
        self._running.discard(performed.job)
        attempts: list[Attempt] = getattr(self._ended, performed.outcome.value)
        attempts.append(performed.job.attempt)

    def _finish(self, threads: list[threading.Thread]) -> None:
        """Put back the jobs that were not begun, wait for those under way, and end them."""
        for name, number in self._shares.items():
            self._empty(self._inboxes[name])
            for _ in range(number):
                self._inboxes[name].put(None)
        self._attempt(self._write_ended)
        for thread in threads:
            while thread.is_alive():
                thread.join(HEARTBEAT_SECONDS)
                self._attempt(lambda: self._table.report(self._known()))
        self._attempt(self._write_ended)
        self._attempt(self._table.unregister)
        connection.close()

    def _write_ended(self) -> None:
        self._drain()
        self._table.take({}, self._ended)
        self._ended = Ended()

    def _empty(self, inbox: queue.SimpleQueue[TakenJob | LocalTask | None]) -> None:
        """Take out the jobs that wait for a thread, because others may begin them at once."""
        while not inbox.empty():
            with suppress(queue.Empty):
                job = inbox.get_nowait()
                if isinstance(job, TakenJob):
                    self._news.put(Performed(job, Outcome.UNBEGUN))

    def _attempt(self, write: Callable[[], object]) -> None:
        """What cannot be written at the end is found by other workers."""
        try:
            write()
        except Exception as error:
            if not is_unavailable(error):
                log.exception("worker_did_not_finish")
            _put_off(error)

    # -- the threads of the lanes

    def _work(self, lane: str) -> None:
        try:
            self._work_off(self._inboxes[lane])
        except BaseException as error:
            # The lane would go on without this thread, and nobody would end its job.
            self.fail(error)

    def _work_off(self, inbox: queue.SimpleQueue[TakenJob | LocalTask | None]) -> None:
        while True:
            try:
                job = inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                connection.close()
                job = inbox.get()
            if job is None:
                connection.close()
                return
            if isinstance(job, LocalTask):
                self._run_local_task(job)
            else:
                self._news.put(Performed(job, self._perform(job)))

    def _run_local_task(self, task: LocalTask) -> None:
        try:
            task.work()
        except Exception:
            log.exception("periodic_check_failed", name=task.name)
            connection.close()
        finally:
            self._local_tasks.discard(task.name)

    def _perform(self, job: TakenJob) -> Outcome:
        try:
            task = self._app.tasks[job.task]
            arguments = job.arguments
            context = [self._context(job, arguments)] if task.pass_context else []
            task.func(*context, **arguments)
        except BaseException as error:
            is_lost = isinstance(error, LOST) and not _is_connected()
            log.exception("job_put_back" if is_lost else "job_failed", task=job.task, job=job.id)
            connection.close()
            return Outcome.AGAIN if is_lost else Outcome.FAILED
        if connection.errors_occurred:
            connection.close()
        return Outcome.SUCCEEDED

    def _context(self, job: TakenJob, arguments: dict[str, Any]) -> JobContext:
        """Return what a job may ask of procrastinate: which job it is, and how often it was taken."""
        return JobContext(
            app=self._app,
            job=Job(
                id=job.id,
                queue=job.queue,
                lock=None,
                queueing_lock=job.queueing_lock,
                task_name=job.task,
                task_kwargs=arguments,
                attempts=job.attempts,
            ),
            start_timestamp=time.time(),
            abort_reason=lambda: None,
        )


def _put_off(error: Exception) -> None:
    log.warning("worker_lost_database", fault=type(error).__name__)
    connection.close()


def _is_connected() -> bool:
    """Return whether this thread's connection still works."""
    return connection.connection is not None and connection.is_usable()
