"""A job that a living lane has taken without knowing is performed in the end."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.integration.queue.conftest import eventually
from tests.integration.queue.test_backlog import done

TAKEN = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)
SELECT queue, 'make_available', '{"escrow_id": 1}', 'doing', worker_id
  FROM (SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE task_name = 'sweep_operations') AS chores,
       (VALUES ('chores')) AS queues (queue)
 WHERE worker_id IS NOT NULL
"""


def state(task: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status::text FROM procrastinate_jobs WHERE task_name = %s", [task])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_job_whose_taking_was_committed_without_an_answer_is_put_back(start_worker: Callable[[], Any]) -> None:
    start_worker()
    eventually(lambda: done("sweep_operations"), "the worker to begin")
    with connection.cursor() as cursor:
        cursor.execute(TAKEN)
        assert cursor.rowcount == 1
    # There is no such escrow, so it fails; what counts is that somebody performs it.
    eventually(lambda: state("make_available") == "failed", "the job to be performed")
