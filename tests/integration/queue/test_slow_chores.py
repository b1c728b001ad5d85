"""A slow chore takes one thread of its lane, not one more with each of its ticks."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from tests.integration.queue.conftest import eventually
from tests.integration.queue.test_backlog import done


def under_way(task: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status = 'doing'", [task])
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_chore_that_does_not_end_leaves_the_other_thread_to_the_others(start_worker: Callable[[], Any]) -> None:
    start_worker()
    eventually(lambda: done("sweep_webhooks"), "a first sweep")
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Whoever looks for lost events now waits until this transaction ends.
            cursor.execute("LOCK TABLE webhooks_incomingevent IN ACCESS EXCLUSIVE MODE")
        eventually(lambda: under_way("sweep_webhooks"), "a sweep that waits")
        sweeps, others = done("sweep_webhooks"), done("sweep_operations")

        eventually(lambda: done("sweep_webhooks") >= sweeps + 2, "two more ticks of the sweep")
        eventually(lambda: done("sweep_operations") >= others + 3, "three runs of another chore")
        assert under_way("sweep_webhooks") == 1
    eventually(lambda: not under_way("sweep_webhooks"), "the sweep to end")
