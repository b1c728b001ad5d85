"""A look for the work of a periodic job that does not end takes one thread of its lane, not one more each tick."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from multitask.payments.models import Operation
from tests.integration.queue.conftest import eventually, last_tick
from tests.payments_world import World

WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%webhooks_incomingevent%%'
"""


def is_lost() -> bool:
    """An operation is overdue, so that its sweep has work at every tick."""
    long_ago = timezone.now() - timedelta(hours=1)
    return bool(Operation.objects.update(state="pending", next_attempt_at=long_ago, hold=""))


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_look_that_does_not_end_leaves_the_other_thread_to_the_others(
    world: World, database_url: str, start_worker: Callable[[], Any]
) -> None:
    world.ask_to_pay(world.hired())
    start_worker()
    eventually(lambda: is_lost() and last_tick("sweep_operations"), "a first sweep")

    with psycopg.connect(database_url) as holder:
        # Whoever looks for lost events now waits until this transaction ends.
        holder.execute("LOCK TABLE webhooks_incomingevent IN ACCESS EXCLUSIVE MODE")
        eventually(waiting, "a look that waits")
        began = last_tick("sweep_operations")
        eventually(lambda: is_lost() and last_tick("sweep_operations") >= began + 20, "more runs of another chore")
        # `sweep_webhooks` and `process_newest`, in lanes of their own, and the poll's statistics.
        assert waiting() <= 3
    eventually(lambda: not waiting(), "the looks to end")
