"""Two jobs of one object are under way beside each other; then their worker dies, or the database is lost."""

import json
import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from procrastinate.contrib.django import DjangoApp, app

from multitask.config.job_table import Attempt, Ended, JobTable
from multitask.config.lanes import shares
from multitask.config.worker_loop import WorkerLoop
from multitask.database import jobs
from tests.integration.queue.conftest import eventually
from tests.integration.queue.test_taken_jobs import silent_for
from tests.integration.queue.test_worker_loop import Work

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)"
    " VALUES ('webhooks', %s, 'stripe payment  pi_1', %s, now() + make_interval(secs => %s))"
)
# As a trigger of somebody else's would.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.args = '{"event_id": 1}' THEN RAISE EXCEPTION 'this row stays'; END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER refuse BEFORE DELETE ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def insert(task: str = "process_webhook", *, seconds: int = 0, **arguments: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [task, json.dumps(arguments), seconds])


def left() -> list[tuple[str, str, bool]]:
    """The task and status of each job, and whether it may start."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_name, status::text, coalesce(scheduled_at <= now(), true) FROM procrastinate_jobs ORDER BY id"
        )
        return list(cursor.fetchall())


def two_under_way(table: JobTable) -> list[Attempt]:
    attempts = []
    for number in (1, 2):
        insert(event_id=number)
        (job,) = table.take({"webhooks": 1}, Ended())
        attempts.append(job.attempt)
    return attempts


@pytest.fixture
def refusing() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(REFUSE)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse CASCADE")


def test_one_job_of_an_object_waits_again_when_their_worker_has_died() -> None:
    two_under_way(JobTable())
    jobs.defer("perform_operation", queue="operations", operation_id=7)
    JobTable().take({"operations": 1}, Ended())
    silent_for(jobs.STALLED_SECONDS + 1)

    assert len(jobs.retry_stalled()) == 3

    assert left() == [("process_webhook", "todo", True), ("perform_operation", "todo", True)]
    assert jobs.retry_stalled() == []


def test_one_job_of_an_object_waits_again_when_their_connections_were_lost() -> None:
    table = JobTable()
    attempts = two_under_way(table)

    (again,) = table.take({"webhooks": 5}, Ended(again=attempts))

    assert left() == [("process_webhook", "doing", True)]
    table.take({}, Ended(succeeded=[again.attempt]))
    assert left() == []


def test_a_job_that_waits_for_its_time_is_brought_forward_by_one_that_is_put_back() -> None:
    table = JobTable()
    attempts = two_under_way(table)
    insert(seconds=600, event_id=3)

    table.take({}, Ended(again=attempts))

    assert left() == [("process_webhook", "todo", True)]


@pytest.mark.usefixtures("refusing")
def test_a_job_that_cannot_be_put_back_holds_up_no_other() -> None:
    two_under_way(JobTable())
    silent_for(jobs.STALLED_SECONDS + 1)

    assert len(jobs.retry_stalled()) == 1

    assert left() == [("process_webhook", "doing", True), ("process_webhook", "todo", True)]


@pytest.mark.usefixtures("refusing")
def test_a_job_that_cannot_be_ended_holds_up_no_other() -> None:
    table = JobTable()
    attempts = two_under_way(table)
    insert(event_id=3)

    taken = table.take({"webhooks": 5}, Ended(succeeded=attempts))

    assert [job.arguments for job in taken] == [{"event_id": 3}]
    assert left() == [("process_webhook", "doing", True)] * 2


def test_a_worker_goes_on_after_it_lost_the_database_during_two_jobs_of_an_object() -> None:
    work = Work()
    own = DjangoApp(connector=app.connector)
    own.task(name="read", queue="webhooks")(work.read)
    own.task(name="count", queue="operations")(work.count)
    worker = WorkerLoop(own, shares(17))
    thread = threading.Thread(target=worker.run)
    thread.start()
    work.gate.clear()
    for number in (1, 2):
        insert("read", number=number)
        eventually(lambda: len(work.under_way) == number, "the job to begin")  # noqa: B023
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    work.gate.set()
    jobs.defer("count", queue="operations", number=3)

    try:
        eventually(lambda: 3 in work.done and not left(), "all jobs, also of another lane")
    finally:
        worker.stop()
        thread.join(60)

    # Both began, and one of them again.
    assert len(work.done) == 4
