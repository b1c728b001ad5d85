"""The periodic jobs keep their pace whatever the clock does: ticks that were missed count once, none is waited for."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app

from multitask import due
from multitask.config.periodic import PeriodicJobs
from multitask.webhooks import incoming
from multitask.webhooks.models import IncomingEvent
from tests.payments_world import World

pytestmark = pytest.mark.django_db(transaction=True)

# Half past the hour, and a little later than a tick, as the deferrer always is.
START = 1_800_000_000 + 30 * 60 + 0.5
HOUR, DAY = 3_600, 86_400


@pytest.fixture(autouse=True)
def jobs_are_known() -> None:
    """The tasks, which a worker imports when it starts."""
    app.perform_import_paths()  # type: ignore[no-untyped-call]
    assert len(all_jobs()) > 10


def deferred(*moments: float) -> list[Counter[str]]:
    """Look at these moments; return how often each job was deferred at each, with the queue worked off in between.

    Every job has work.
    """
    periodic = PeriodicJobs(app, {})
    counts = []
    for moment in moments:
        periodic.defer_due(at=moment)
        counts.append(Counter({name: len(found) for name, found in taken().items()}))
    return counts


def taken() -> dict[str, list[Any]]:
    """Take all jobs from the queue, as a worker that is fast enough does; return them by their task."""
    jobs: dict[str, list[Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo' RETURNING task_name, args")
        for name, arguments in cursor.fetchall():
            jobs.setdefault(name, []).append(json.loads(arguments))
    return jobs


def all_jobs() -> set[str]:
    return {periodic.task.name for periodic in app.periodic_registry.periodic_tasks.values()}


def test_after_twenty_one_hours_each_job_runs_once() -> None:
    first, later = deferred(START, START + 21 * HOUR)

    assert later == Counter(all_jobs())
    assert set(first) <= all_jobs()


def test_jobs_come_with_their_latest_tick() -> None:
    periodic = PeriodicJobs(app, {})
    periodic.defer_due(at=START)
    taken()
    periodic.defer_due(at=START + 21 * HOUR)

    jobs = taken()

    assert jobs["sweep_operations"] == [{"timestamp": int(START) + 21 * HOUR}]


def test_every_tick_counts_while_the_clock_runs() -> None:
    counts = deferred(*(START + 5 * step for step in range(13)))

    assert sum(count["sweep_operations"] for count in counts) == 13
    assert sum(count["make_due_available"] for count in counts) == 2


@pytest.mark.parametrize("back", [30 * 60, 3 * HOUR, 3 * DAY])
def test_a_clock_that_is_set_back_stops_nothing(back: float) -> None:
    _, at_once, *later = deferred(
        START, START + HOUR, START + HOUR - back, START + HOUR - back + 5, START + HOUR - back + 65
    )
    assert at_once["check_books"] == 1

    counts = sum(later, Counter[str]())
    frequent = all_jobs() - {"check_books", "purge_expired", "remind_clients"}
    assert {name for name in counts if counts[name]} >= frequent


def test_an_hourly_job_goes_on_within_the_hour_after_the_clock_is_set_back() -> None:
    *_, back, over_an_hour = deferred(START, START + HOUR, START + HOUR - 3 * DAY, START + 2 * HOUR - 3 * DAY)

    assert back["check_books"] + over_an_hour["check_books"] >= 1
    assert over_an_hour["purge_expired"] == 1


def test_a_new_worker_defers_after_the_clock_was_set_back_while_none_ran() -> None:
    deferred(START, START + HOUR)

    (counts,) = deferred(START + 10 * 60)

    assert counts["sweep_operations"] == counts["make_due_available"] == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(defer_timestamp) FROM procrastinate_periodic_defers")
        assert cursor.fetchone()[0] <= START + 10 * 60


def test_a_tick_that_another_worker_has_deferred_is_not_deferred_again() -> None:
    deferred(START)

    (again,) = deferred(START)

    assert again == Counter()


# -- what has nothing to do writes nothing

# These have no check: what they look for is their work, as `multitask/due.py` explains.
UNCHECKED = {"refresh_open", "check_books", "purge_expired"}


def test_every_check_is_of_a_periodic_job_and_every_frequent_job_has_one() -> None:
    assert set(due.CHECKS) | UNCHECKED == all_jobs()
    assert not set(due.CHECKS) & UNCHECKED


def test_jobs_without_work_are_not_deferred_and_leave_no_tick(world: World) -> None:
    world.lose_jobs()
    periodic = PeriodicJobs(app, due.CHECKS)

    for moment in (START, START + 5, START + HOUR):
        periodic.defer_due(at=moment)

    assert not set(taken()) - UNCHECKED - {"queue_statements", "compare_budgets"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_periodic_defers WHERE task_name = 'sweep_operations'")
        assert cursor.fetchone() == (0,)


def test_work_is_found_at_the_next_tick_whichever_worker_looks(world: World) -> None:
    one, other = PeriodicJobs(app, due.CHECKS), PeriodicJobs(app, due.CHECKS)
    for worker in (one, other):
        worker.defer_due(at=START)
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    for event in world.events():
        world.receive(event)
    IncomingEvent.objects.update(next_attempt_at=timezone.now() - incoming.OVERDUE)
    taken()

    for worker in (one, other):
        worker.defer_due(at=START + 10)

    assert len(taken()["sweep_webhooks"]) == 1


def test_a_check_that_fails_lets_the_job_run(world: World) -> None:
    def fail(_now: datetime) -> bool:
        raise ValueError("the check is wrong")

    PeriodicJobs(app, {"sweep_operations": fail}).defer_due(at=START)

    assert len(taken()["sweep_operations"]) == 1
