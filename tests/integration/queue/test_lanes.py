"""The lanes: every job has one, every lane has a thread, and none takes what the database cannot serve."""

import pytest
from procrastinate.contrib.django import app

from multitask.config import lanes
from multitask.config.environment import Environment
from multitask.config.management.commands import worker


@pytest.fixture(autouse=True)
def jobs_are_known() -> None:
    """The tasks, which a worker imports when it starts."""
    app.perform_import_paths()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("threads", [1, 7, 9, 12, 18, 40])
def test_every_lane_has_a_thread(threads: int) -> None:
    shared = lanes.shares(threads)

    assert set(shared) == set(lanes.QUEUES)
    assert min(shared.values()) == 1
    assert sum(shared.values()) == max(threads, lanes.FEWEST)


@pytest.mark.parametrize(("operations", "threads", "expected"), [(1, 18, 1), (8, 18, 8), (12, 18, 10), (30, 60, 30)])
def test_a_setting_says_how_many_calls_wait_at_once(operations: int, threads: int, expected: int) -> None:
    shared = lanes.shares(threads, operations)

    assert shared["operations"] == expected
    assert min(shared.values()) == 1
    assert sum(shared.values()) == threads


def test_every_job_has_a_lane_and_no_lock() -> None:
    ours = [task for task in app.tasks.values() if not task.name.startswith("builtin:")]

    assert len(ours) > 10
    assert {task.queue for task in ours} == set(lanes.QUEUES)
    assert not [task.name for task in ours if task.lock]


def test_what_takes_minutes_on_large_books_shares_its_lane_with_nothing_else() -> None:
    assert {task.name for task in app.tasks.values() if task.queue == "maintenance"} == {"check_books", "purge_expired"}


def test_the_default_pool_has_a_connection_for_each_thread_of_a_worker() -> None:
    pool = Environment.model_fields["database_pool_size"].default

    assert pool == worker.CONCURRENCY + worker.OWN_CONNECTIONS


def test_every_periodic_job_is_known_by_a_lock_of_its_own() -> None:
    periodic = [found.task for found in app.periodic_registry.periodic_tasks.values()]

    # By it a second one is kept from waiting, and from running beside the first.
    assert [task.queueing_lock for task in periodic] == [task.name for task in periodic]


def test_periodic_jobs_share_no_lane_with_those_that_can_pile_up() -> None:
    periodic = {found.task.queue for found in app.periodic_registry.periodic_tasks.values()}

    assert not periodic & {"operations", "webhooks", "emails"}
