"""The sweeper: finds operations whose job is gone, and leaves alone those whose job only waits."""

from datetime import timedelta

import pytest

from multitask.payments.models import Operation
from multitask.payments.operations import engine, queue, sweeper
from tests.integration.payments.test_operations import LOST, fail_next, ready
from tests.integration.races import together
from tests.payments_world import World


def test_a_lost_job_is_found_by_the_sweeper(world: World) -> None:
    job = ready(world)
    world.lose_jobs()
    assert sweeper.sweep(now=world.now) == 1
    assert sweeper.sweep(now=world.now) == 0
    assert world.work() == ["perform_operation"]
    assert job.transfer.state == "succeeded"


def test_a_job_that_waits_in_a_long_queue_is_not_doubled(world: World) -> None:
    job = ready(world)
    world.wait(hours=1)
    assert sweeper.sweep(now=world.now) == 0
    assert world.work() == ["perform_operation"]
    assert job.transfer.state == "succeeded"


def test_a_crash_during_the_call_is_found_by_the_sweeper(world: World) -> None:
    job = ready(world)
    world.lose_jobs()
    Operation.objects.filter(pk=job.transfer.pk).update(
        state="sent",
        sent_at=world.now,
        attempts=1,
        next_attempt_at=world.now + engine.CLAIM,
    )
    assert sweeper.sweep(now=world.now) == 0
    world.wait(engine.CLAIM)
    assert sweeper.sweep(now=world.now) == 1
    world.work()
    assert (job.transfer.state, job.transfer.attempts) == ("succeeded", 2)


def test_the_sweeper_leaves_alone_what_has_its_time_still_to_come(world: World) -> None:
    job = ready(world)
    fail_next(world, LOST)
    world.work()
    world.lose_jobs()
    assert sweeper.sweep(now=world.now) == 0
    world.wait(seconds=3)
    assert sweeper.sweep(now=world.now) == 1
    assert job.transfer.state == "unknown"


def test_the_sweeper_takes_the_oldest_first_and_not_all_at_once(world: World) -> None:
    first, second = ready(world), ready(world)
    world.lose_jobs()
    Operation.objects.filter(pk=second.transfer.pk).update(next_attempt_at=world.now - timedelta(hours=1))
    assert sweeper.sweep(now=world.now, limit=1) == 1
    world.work()
    assert (first.transfer.state, second.transfer.state) == ("pending", "succeeded")


def test_an_operation_without_a_time_is_swept_at_once(world: World) -> None:
    job = ready(world)
    world.lose_jobs()
    Operation.objects.filter(pk=job.transfer.pk).update(next_attempt_at=None)
    assert sweeper.sweep(now=world.now) == 1


def test_what_a_clock_that_was_ahead_put_off_is_swept_once(world: World) -> None:
    job = ready(world)
    world.lose_jobs()
    put_off = world.now + timedelta(hours=21)
    Operation.objects.filter(pk=job.transfer.pk).update(next_attempt_at=put_off)
    queue.defer(queue.PERFORM, at=put_off, operation_id=job.transfer.pk)
    assert sweeper.sweep(now=world.now) == 1
    assert sweeper.sweep(now=world.now) == 0
    world.work()
    assert job.transfer.state == "succeeded"


def test_a_job_of_a_clock_that_was_ahead_does_not_hide_that_the_next_is_lost(world: World) -> None:
    job = ready(world)
    world.lose_jobs()
    queue.defer(queue.PERFORM, at=world.now + timedelta(hours=21), operation_id=job.transfer.pk)
    assert sweeper.sweep(now=world.now) == 1
    world.work()
    assert job.transfer.state == "succeeded"


def test_what_is_finished_is_not_swept(world: World) -> None:
    job = world.released()
    world.wait(days=30)
    assert sweeper.sweep(now=world.now) == 0
    assert job.transfer.state == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_defer_each_operation_once(world: World) -> None:
    jobs = [ready(world) for _ in range(4)]
    world.lose_jobs()
    assert sum(together([lambda: sweeper.sweep(now=world.now)] * 4)) == len(jobs)
    assert world.work() == ["perform_operation"] * len(jobs)
