"""The loop of a worker: jobs of a lane run beside each other, end once, and survive the loss of a connection."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django import DjangoApp, app

from multitask.config.lanes import shares
from multitask.config.worker_loop import WorkerLoop
from multitask.database import jobs
from tests.integration.queue.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = shares(18)
OPERATIONS = THREADS["operations"]


class Work:
    """Tasks that record what they did, and wait while they are told to."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.under_way: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def count(self, number: int) -> None:
        self.under_way.append(number)
        assert self.gate.wait(60)
        self.under_way.remove(number)
        self.done.append(number)

    def read(self, number: int) -> None:
        """Use the database before and after waiting."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.count(number)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'a job reads'")

    def fail(self, number: int) -> None:
        raise ValueError(f"number {number}")


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def loop(work: Work) -> Iterator[WorkerLoop]:
    own = DjangoApp(connector=app.connector)
    for function in (work.count, work.read, work.fail):
        own.task(name=function.__name__, queue="operations")(function)
    worker = WorkerLoop(own, THREADS)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield worker
    work.gate.set()
    worker.stop()
    thread.join(60)
    assert not thread.is_alive()


def left() -> list[tuple[str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, status::text, attempts FROM procrastinate_jobs ORDER BY id")
        return list(cursor.fetchall())


def defer(task: str, number: int = 0) -> None:
    jobs.defer(task, queue="operations", number=number)


def test_jobs_are_done_once_and_leave_nothing(loop: WorkerLoop, work: Work) -> None:
    for number in range(30):
        defer("count", number)

    eventually(lambda: len(work.done) == 30 and not left(), "all jobs")

    assert sorted(work.done) == list(range(30))


def test_as_many_jobs_of_a_lane_wait_for_the_provider_as_it_has_threads(loop: WorkerLoop, work: Work) -> None:
    work.gate.clear()
    for number in range(OPERATIONS + 3):
        defer("count", number)
    eventually(lambda: len(work.under_way) == OPERATIONS, "all threads at work")

    # Another lane goes on, and the rest waits.
    jobs.defer("fail", queue="webhooks", number=0)
    eventually(lambda: ("fail", "failed", 1) in left(), "a job of another lane")
    assert len([row for row in left() if row[:2] == ("count", "todo")]) == 3
    work.gate.set()
    eventually(lambda: len(work.done) == OPERATIONS + 3, "all jobs")


@pytest.mark.parametrize("task", ["fail", "nobody_knows_it"])
def test_a_job_that_fails_stays_for_the_staff(loop: WorkerLoop, task: str) -> None:
    defer(task)

    eventually(lambda: left() == [(task, "failed", 1)], "the job to fail")


def test_a_periodic_job_that_is_under_way_is_not_begun_again(loop: WorkerLoop, work: Work) -> None:
    work.gate.clear()
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
        " VALUES ('operations', 'count', 'count', '{\"number\": 1}')"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert)
        eventually(lambda: work.under_way == [1], "the first run")
        cursor.execute(insert)
    eventually(lambda: left() == [("count", "doing", 1)], "the second run to end at once")

    work.gate.set()
    eventually(lambda: not left(), "the first run to end")
    assert work.done == [1]


@pytest.mark.parametrize(
    ("lost", "attempts"), [("query = 'SELECT 1'", 1), ("query LIKE '%%WITH succeeded AS%%' AND state = 'idle'", 0)]
)
def test_a_lost_connection_loses_no_job(loop: WorkerLoop, work: Work, lost: str, attempts: int) -> None:
    work.gate.clear()
    defer("read", 1)
    eventually(lambda: work.under_way == [1], "the job to begin")

    def end_sessions() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {lost}"
            )
            return bool(cursor.fetchone()[0])

    eventually(end_sessions, "the session to be there")
    work.gate.set()

    eventually(lambda: not left(), "the job to be done")
    # The job whose connection was lost ran again.
    assert work.done == [1] * (attempts + 1)


def test_stopping_waits_for_what_is_under_way_and_takes_nothing_more(work: Work) -> None:
    own = DjangoApp(connector=app.connector)
    own.task(name="count", queue="operations")(work.count)
    worker = WorkerLoop(own, THREADS)
    thread = threading.Thread(target=worker.run)
    thread.start()
    work.gate.clear()
    defer("count", 1)
    eventually(lambda: work.under_way == [1], "the job to begin")

    worker.stop()
    defer("count", 2)
    time.sleep(0.5)
    assert thread.is_alive()
    work.gate.set()
    thread.join(60)

    assert (work.done, left()) == ([1], [("count", "todo", 0)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        assert cursor.fetchone() == (0,)


def test_a_local_task_with_the_name_of_one_under_way_is_left_out(loop: WorkerLoop) -> None:
    gate, seen = threading.Event(), []

    def look(number: int) -> Callable[[], None]:
        def wait() -> None:
            seen.append(number)
            assert gate.wait(60)

        return wait

    loop.begin("chores", "sweep", look(1))
    eventually(lambda: seen == [1], "the first look")
    loop.begin("chores", "sweep", look(2))
    loop.begin("chores", "other", look(3))
    eventually(lambda: seen == [1, 3], "the look with another name")
    gate.set()

    def again() -> Any:
        loop.begin("chores", "sweep", look(4))
        return 4 in seen

    eventually(again, "a look after the first has ended")
