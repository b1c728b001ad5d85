"""What does not end holds up nothing but itself: a look for work takes one thread, a long proof a lane of its own."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app

from multitask.database import jobs
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


def queued(name: str) -> None:
    jobs.defer(name, queue=app.tasks[name].queue, timestamp=int(time.time()))


def jobs_left(*names: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = ANY (%s)", [list(names)])
        return int(cursor.fetchone()[0])


def proofs_waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE '%%ledger_checkpoint%%'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_proof_that_takes_long_holds_up_no_poll_and_no_chain(
    world: World, database_url: str, start_worker: Callable[[], Any]
) -> None:
    app.perform_import_paths()  # type: ignore[no-untyped-call]
    world.ask_to_pay(world.hired())
    start_worker()
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE ledger_checkpoint IN ACCESS EXCLUSIVE MODE")
        queued("check_books")
        eventually(proofs_waiting, "a proof that waits")
        polls = ("refresh_open", "extend_chain", "publish_statement")
        for name in polls:
            queued(name)
        eventually(lambda: not jobs_left(*polls), "the polls to go on")
        assert proofs_waiting()
    eventually(lambda: not jobs_left("check_books"), "the proof to end")
