"""A letter is sent at most once after its job has begun it, and whatever happened before."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.core import mail
from django.db import connection
from procrastinate.contrib.django import app

from multitask.config.job_table import Ended, JobTable, TakenJob
from multitask.config.lanes import shares
from multitask.config.worker_loop import WorkerLoop
from multitask.database import jobs
from multitask.users import account_emails
from multitask.users.models import User
from tests.integration.queue.conftest import eventually
from tests.integration.queue.test_taken_jobs import silent_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reset() -> JobTable:
    """Post a letter by which somebody may choose a new password; return a worker that has not taken it."""
    app.perform_import_paths()  # type: ignore[no-untyped-call]
    User.objects.create_user("ada", "ada@example.com")
    account_emails.post(account_emails.RESET, address="ada@example.com")
    return JobTable()


def taken(table: JobTable) -> TakenJob:
    (job,) = table.take({"emails": 1}, Ended())
    return job


def put_back_by_others() -> None:
    silent_for(jobs.STALLED_SECONDS + 1)
    assert len(jobs.retry_stalled()) == 1


@contextmanager
def worker() -> Iterator[None]:
    loop = WorkerLoop(app, shares(8))
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(60)
        assert not thread.is_alive()


def no_job_is_left() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        return bool(cursor.fetchone()[0] == 0)


def titles() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda table, job: put_back_by_others(), id="its worker died"),
        pytest.param(lambda table, job: table.report([]), id="the answer was lost"),
        pytest.param(lambda table, job: table.take({}, Ended(unbegun=[job.attempt])), id="its worker was stopped"),
        pytest.param(lambda table, job: table.take({}, Ended(again=[job.attempt])), id="its connection was lost"),
    ],
)
def test_a_letter_that_was_taken_and_not_begun_is_sent(
    reset: JobTable, lose: Callable[[JobTable, TakenJob], object]
) -> None:
    for _ in range(3):
        lose(reset, taken(reset))

    with worker():
        eventually(no_job_is_left, "the letter's job to end")

    assert titles() == ["Choose a new password"]


def test_a_letter_that_was_begun_is_not_sent_again(reset: JobTable) -> None:
    job = taken(reset)
    assert jobs.begin_once(job.id, job.attempts)
    put_back_by_others()

    with worker():
        eventually(no_job_is_left, "the letter's job to end")

    assert titles() == []


def test_an_attempt_marks_its_letter_as_often_as_it_must_and_no_other_does(reset: JobTable) -> None:
    job = taken(reset)
    assert jobs.begin_once(job.id, job.attempts)
    # The answer to the mark was lost.
    assert jobs.begin_once(job.id, job.attempts)
    put_back_by_others()
    again = taken(JobTable())

    assert not jobs.begin_once(again.id, again.attempts)
    assert not jobs.begin_once(job.id, job.attempts)


def test_a_worker_that_was_silent_does_not_begin_a_letter_that_was_put_back(reset: JobTable) -> None:
    job = taken(reset)
    put_back_by_others()

    assert not jobs.begin_once(job.id, job.attempts)
    again = taken(JobTable())
    assert not jobs.begin_once(job.id, job.attempts)
    assert jobs.begin_once(again.id, again.attempts)
