"""Jobs are taken and ended once, also where an answer is lost or a worker was silent for too long."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from multitask.config.job_table import Ended, JobTable
from multitask.database import jobs
from tests.integration.queue.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)

# There is no such operation, so its job fails; what counts is that somebody performs it.
TAKEN = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)
SELECT 'operations', 'make_available', '{"escrow_id": 1}', 'doing', max(id) FROM procrastinate_workers
"""


def rows() -> list[tuple[str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_name, status::text, attempts FROM procrastinate_jobs WHERE queueing_lock IS NULL"
            " OR queueing_lock <> task_name ORDER BY id"
        )
        return list(cursor.fetchall())


def workers() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        return int(cursor.fetchone()[0])


def silent_for(seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => %s)", [seconds])


def test_a_job_whose_taking_was_committed_without_an_answer_is_put_back(start_worker: Callable[[], Any]) -> None:
    start_worker()
    eventually(workers, "the worker to begin")
    with connection.cursor() as cursor:
        cursor.execute(TAKEN)
        assert cursor.rowcount == 1
    eventually(lambda: [row[:2] for row in rows()] == [("make_available", "failed")], "the job to be performed")


def test_a_job_that_succeeded_is_gone_and_one_that_failed_stays() -> None:
    table = JobTable()
    for number in (1, 2, 3):
        jobs.defer("perform_operation", queue="operations", operation_id=number)

    one, two = table.take({"operations": 2}, Ended())
    (three,) = table.take({"operations": 2}, Ended(succeeded=[one.attempt], failed=[two.attempt]))

    assert [job.arguments["operation_id"] for job in (one, two, three)] == [1, 2, 3]
    assert rows() == [("perform_operation", "failed", 1), ("perform_operation", "doing", 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_events")
        assert cursor.fetchone() == (0,)


def test_each_queue_gives_as_many_jobs_as_it_has_threads_by_priority_then_age() -> None:
    for number in range(4):
        jobs.defer("perform_operation", queue="operations", operation_id=number, priority=number % 2)
        jobs.defer("process_webhook", queue="webhooks", event_id=number)

    taken = JobTable().take({"operations": 3, "webhooks": 1, "emails": 2}, Ended())

    assert [(job.task, list(job.arguments.values())) for job in taken if job.queue == "operations"] == [
        ("perform_operation", [1]),
        ("perform_operation", [3]),
        ("perform_operation", [0]),
    ]
    assert [job.arguments for job in taken if job.queue == "webhooks"] == [{"event_id": 0}]
    assert JobTable().take({"emails": 2}, Ended()) == []


def test_a_job_is_taken_by_one_of_two_workers() -> None:
    jobs.defer("perform_operation", queue="operations", operation_id=1)
    one, other = JobTable(), JobTable()

    assert len(one.take({"operations": 5}, Ended())) + len(other.take({"operations": 5}, Ended())) == 1


def test_a_job_that_others_have_taken_over_is_not_ended_by_the_worker_that_was_silent() -> None:
    jobs.defer("perform_operation", queue="operations", operation_id=1)
    silent = JobTable()
    (job,) = silent.take({"operations": 1}, Ended())
    silent_for(jobs.STALLED_SECONDS + 1)
    assert jobs.has_stalled()
    assert jobs.retry_stalled() == [(job.id, "perform_operation")]
    assert not jobs.has_stalled()
    (again,) = JobTable().take({"operations": 1}, Ended())
    assert (again.id, again.attempts) == (job.id, 2)

    silent.take({}, Ended(succeeded=[job.attempt]))

    assert rows() == [("perform_operation", "doing", 2)]


def test_a_worker_that_counted_as_dead_goes_on_under_a_new_name() -> None:
    table = JobTable()
    table.take({}, Ended())
    silent_for(jobs.STALLED_SECONDS + 1)
    JobTable().register()
    assert workers() == 1

    table.report([])

    assert workers() == 2
    jobs.defer("perform_operation", queue="operations", operation_id=1)
    assert len(table.take({"operations": 1}, Ended())) == 1


def test_jobs_with_a_queueing_lock_are_put_back_only_while_none_waits() -> None:
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
        " VALUES ('webhooks', 'process_webhook', 'one object', '{}'), ('chores', 'sweep_emails', 'sweep_emails', '{}')"
    )
    table = JobTable()
    with connection.cursor() as cursor:
        cursor.execute(insert)
    first = [job.attempt for job in table.take({"webhooks": 1, "chores": 1}, Ended())]
    with connection.cursor() as cursor:
        cursor.execute(insert)
        cursor.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'sweep_emails' AND status = 'todo'")

    table.take({}, Ended(again=first))

    # The periodic job runs at its next tick.
    assert rows() == [("process_webhook", "todo", 0)]
    (waiting,) = table.take({"webhooks": 1}, Ended())
    table.take({}, Ended(again=[waiting.attempt]))
    assert rows() == [("process_webhook", "todo", 1)]
