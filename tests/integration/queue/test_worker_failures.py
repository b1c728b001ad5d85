"""A worker that was suspended, that cannot go on, or that is stopped: no job is lost, and the process ends in order."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django import DjangoApp, app

from multitask.config.job_table import Ended, JobTable
from multitask.config.lanes import shares
from multitask.config.worker_loop import WorkerLoop
from multitask.database import jobs
from tests.integration.queue.conftest import eventually
from tests.integration.queue.test_taken_jobs import silent_for, workers
from tests.integration.queue.test_worker_loop import Work, defer, left

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Running:
    """A loop in a thread, with what it raised."""

    work: Work = field(default_factory=Work)
    raised: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = DjangoApp(connector=app.connector)
        own.task(name="count", queue="operations")(self.work.count)
        self.loop = WorkerLoop(own, shares(17))
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:
            self.raised.append(error)


@contextmanager
def running() -> Iterator[Running]:
    found = Running()
    found.thread.start()
    try:
        yield found
    finally:
        found.work.gate.set()
        found.loop.stop()
        found.thread.join(60)
        assert not found.thread.is_alive()


def others_put_back() -> int:
    """What other workers do after this process was suspended."""
    silent_for(jobs.STALLED_SECONDS + 1)
    return len(jobs.retry_stalled())


def test_a_worker_that_was_suspended_takes_its_own_job_again_and_goes_on() -> None:
    with running() as worker:
        worker.work.gate.clear()
        defer("count", 1)
        eventually(lambda: worker.work.under_way == [1], "the job to begin")
        assert others_put_back() == 1
        eventually(lambda: worker.work.under_way == [1, 1], "the job to be taken again")

        worker.work.gate.set()
        defer("count", 2)

        eventually(lambda: 2 in worker.work.done and not left(), "all jobs")
    assert (worker.raised, sorted(worker.work.done)) == ([], [1, 1, 2])


def test_an_attempt_that_was_put_back_does_not_end_the_next_one_of_the_same_worker() -> None:
    table = JobTable()
    defer("count", 1)
    (first,) = table.take({"operations": 1}, Ended())
    others_put_back()
    (second,) = table.take({"operations": 1}, Ended())

    table.take({}, Ended(failed=[first.attempt]))
    assert left() == [("count", "doing", 2)]
    table.take({}, Ended(again=[first.attempt]))
    assert left() == [("count", "doing", 2)]
    table.report([second.attempt])
    assert left() == [("count", "doing", 2)]
    table.take({}, Ended(succeeded=[first.attempt, second.attempt]))
    assert left() == []


def test_a_worker_that_was_forgotten_ends_what_nobody_has_taken_over() -> None:
    table = JobTable()
    for number in (1, 2):
        defer("count", number)
    (first,) = table.take({"operations": 1}, Ended())
    silent_for(jobs.STALLED_SECONDS + 1)
    JobTable().register()

    (second,) = table.take({"operations": 1}, Ended(succeeded=[first.attempt]))

    assert second.arguments == {"number": 2}
    assert left() == [("count", "doing", 1)]
    assert workers() == 2


def test_a_worker_whose_heartbeat_lies_ahead_of_a_clock_that_was_set_back_counts_as_dead() -> None:
    table = JobTable()
    defer("count", 1)
    table.take({"operations": 1}, Ended())
    silent_for(-3600)

    assert jobs.has_stalled()
    assert len(jobs.retry_stalled()) == 1
    JobTable().register()
    assert workers() == 1


@pytest.fixture
def no_table() -> Iterator[Callable[[], None]]:
    """Take the table of jobs away, as a migration that this release does not know may do."""

    def rename(before: str, after: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE IF EXISTS {before} RENAME TO {after}")

    yield lambda: rename("procrastinate_jobs", "jobs_of_another_release")
    rename("jobs_of_another_release", "procrastinate_jobs")


def test_a_worker_that_cannot_go_on_ends_its_jobs_and_raises_the_error(no_table: Callable[[], None]) -> None:
    with running() as worker:
        worker.work.gate.clear()
        defer("count", 1)
        eventually(lambda: worker.work.under_way == [1], "the job to begin")
        no_table()
        eventually(lambda: worker.loop._is_stopping, "the worker to notice")
        worker.work.gate.set()
        worker.thread.join(60)

        assert worker.work.done == [1]
        assert [type(error).__name__ for error in worker.raised] == ["UndefinedTable"]
        assert workers() == 0


def test_a_worker_process_that_cannot_go_on_ends_with_an_error(
    start_worker: Callable[[], Any], no_table: Callable[[], None]
) -> None:
    process = start_worker()
    eventually(workers, "the worker to begin")

    no_table()

    assert process.wait(60) == 1
    assert workers() == 0


def test_arguments_that_cannot_be_read_fail_their_job_alone() -> None:
    with running() as worker:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                " VALUES ('operations', 'count', jsonb_build_object('number', repeat('9', 5000)::numeric)),"
                " ('operations', 'count', '[1]'), ('operations', 'count', '{\"number\": 3}')"
            )
        eventually(lambda: left() == [("count", "failed", 1)] * 2, "the jobs to end")
    assert (worker.raised, worker.work.done) == ([], [3])


def test_a_job_that_has_no_thread_yet_is_put_back_when_the_worker_stops() -> None:
    gate = threading.Event()

    def wait() -> None:
        assert gate.wait(60)

    with running() as worker:
        for number in range(shares(17)["operations"]):
            worker.loop.begin("operations", f"look {number}", wait)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
                " VALUES ('operations', 'count', 'count', '{\"number\": 1}'),"
                " ('operations', 'count', NULL, '{\"number\": 2}')"
            )
        eventually(lambda: [row[1] for row in left()] == ["doing"] * 2, "the jobs to be taken")
        worker.loop.stop()
        # At once, although the process goes on until its threads are free.
        eventually(lambda: sorted(left()) == [("count", "todo", 1)] * 2, "the jobs to be put back")
        gate.set()
    assert worker.work.done == []
