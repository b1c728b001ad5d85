"""The jobs of an operation: one at a time waits, however often staff asks for an attempt."""

from datetime import timedelta

from django.db import connection

from multitask.payments import staff_commands
from multitask.payments.operations import engine
from tests.payments_world import Job, World


def waiting(job: Job) -> int:
    """Return how many jobs wait that perform the transfer of a job's share."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND (args ->> 'operation_id')::bigint = %s",
            [job.transfer.pk],
        )
        return int(cursor.fetchone()[0])


def test_an_attempt_that_staff_asks_for_adds_no_job_that_goes_on(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("rate_limit", method="POST", path="/v1/transfers", count=100)
    world.work()
    finance = world.staff()
    for _ in range(3):
        staff_commands.retry_operation(actor=finance, operation_id=job.transfer.pk, note="Again", now=world.now)
    world.work()
    assert waiting(job) == 1

    before = job.transfer.attempts
    for _ in range(10):
        world.wait(timedelta(minutes=1))
        world.work()
    assert waiting(job) == 1
    assert job.transfer.attempts <= before + 10

    world.sandbox.clear_faults()
    world.wait(hours=1)
    world.work()
    assert (job.transfer.state, waiting(job)) == ("succeeded", 0)


def test_a_job_that_waits_for_later_does_not_replace_an_earlier_attempt(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("rate_limit", method="POST", path="/v1/transfers", count=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = %s", [world.now + timedelta(days=1)])
    engine.perform(job.transfer.pk, now=world.now)
    assert waiting(job) == 2

    world.wait(minutes=1)
    world.work()
    assert job.transfer.state == "succeeded"
