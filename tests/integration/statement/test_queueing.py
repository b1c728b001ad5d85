"""The queue of statements to be read: one waiting job per account, the platform's first, and no news is lost."""

import time
from datetime import timedelta

import pytest
from django.db.models import Q
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from multitask import jobs
from multitask.config.job_table import Ended, JobTable, TakenJob
from multitask.payments.books import statement
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.webhooks import statement as reading
from tests.integration.statement.books import Books


def taken(table: JobTable | None = None) -> TakenJob:
    (job,) = (table or JobTable()).take({"statements": 1}, Ended())
    return job


def perform(job: TakenJob) -> None:
    """Do what a worker does with a job that it has taken."""
    given = Job(queue=job.queue, lock=None, queueing_lock=None, task_name=job.task, attempts=job.attempts)
    context = JobContext(app=app, job=given, start_timestamp=time.time(), abort_reason=lambda: None)
    jobs.read_statement(context, **job.arguments)


def charge(world: Books, minor: int) -> None:
    """Let the provider take a fee, which is a new line of the platform's statement."""
    world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -minor, "currency": "usd"})


@pytest.fixture
def connected(world: Books) -> ProviderAccount:
    """Return the account of a payee, whose statement was read just now, as the platform's was."""
    job = world.settled()
    world.read_all()
    return ProviderAccount.objects.get(account=world.account(job.freelancer))


def test_accounts_that_wait_long_in_the_queue_are_not_queued_again(world: Books) -> None:
    world.settled()
    assert reading.queue_due(now=world.now) == 2
    for _ in range(3):
        world.wait(statement.CLAIM)
        assert reading.queue_due(now=world.now) == 0
    table = JobTable()
    assert len(table.take({"statements": 9}, Ended())) == 2


def test_the_platforms_account_is_read_before_others_that_wait_longer(world: Books, connected: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now)
    assert reading.queue_due(now=world.now) == 1
    world.wait(statement.PLATFORM_EVERY)
    assert reading.queue_due(now=world.now) == 1

    assert taken().arguments == {"account_id": world.platform.pk}
    assert taken().arguments == {"account_id": connected.pk}


def test_the_platforms_account_is_queued_first_of_more_than_one_run_queues(
    world: Books, connected: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_ACCOUNTS", 1)
    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now - timedelta(days=1))
    ProviderAccount.objects.filter(account=None).update(due_at=world.now)

    assert reading.queue_due(now=world.now) == 1

    assert taken().arguments == {"account_id": world.platform.pk}


def test_a_job_ends_at_once_when_its_account_was_read_since_it_was_queued(world: Books) -> None:
    world.funded()
    reading.queue_due(now=world.now)
    job = taken()
    world.read_all()
    read = StatementLine.objects.count()
    charge(world, 30)

    perform(job)
    assert StatementLine.objects.count() == read

    ProviderAccount.objects.update(due_at=world.now - timedelta(days=1))
    perform(job)
    assert StatementLine.objects.count() == read + 1


def test_an_account_with_news_during_its_read_is_read_again(world: Books, connected: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now)
    reading.queue_due(now=world.now)
    assert taken().arguments == {"account_id": connected.pk}
    assert statement.begin(connected.pk, is_repeated=False, now=world.now)
    under_way = ProviderAccount.objects.get(pk=connected.pk)

    statement.expect_soon(Q(pk=connected.pk), world.now)
    world.wait(statement.SOON)
    assert reading.queue_due(now=world.now) == 1
    statement.finish(under_way, is_done=True, now=world.now)

    again = taken()
    assert again.arguments == {"account_id": connected.pk}
    assert reading.read_due(account_id=connected.pk, is_repeated=False, now=world.now)


def test_an_account_that_is_being_read_is_not_read_by_another_job(world: Books, connected: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now)
    assert statement.begin(connected.pk, is_repeated=False, now=world.now)
    assert not reading.read_due(account_id=connected.pk, is_repeated=False, now=world.now)
    world.wait(statement.CLAIM)
    assert reading.read_due(account_id=connected.pk, is_repeated=False, now=world.now)


def test_a_read_whose_worker_died_is_repeated_when_its_job_is_put_back(world: Books) -> None:
    world.funded()
    reading.queue_due(now=world.now)
    table = JobTable()
    job = taken(table)
    assert statement.begin(world.platform.pk, is_repeated=False, now=world.now)
    table.report(known=())  # The worker that took it has started anew, and knows of no job.

    again = taken(table)
    assert (again.arguments, again.attempts) == (job.arguments, 2)
    perform(again)
    assert world.lines() == [("payment", "matched", 9_680)]


def test_a_read_that_was_planned_by_a_clock_that_was_ahead_does_not_wait_for_it(
    world: Books, connected: ProviderAccount
) -> None:
    ProviderAccount.objects.filter(account=None).update(due_at=world.now + timedelta(hours=3))
    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now + timedelta(hours=20))
    assert reading.are_due(now=world.now)
    assert reading.queue_due(now=world.now) == 1
    assert taken().arguments == {"account_id": world.platform.pk}
    assert reading.read_due(account_id=world.platform.pk, is_repeated=False, now=world.now)
    assert world.platform.due_at == world.now + statement.PLATFORM_EVERY

    ProviderAccount.objects.filter(pk=connected.pk).update(due_at=world.now + timedelta(days=2))
    assert reading.queue_due(now=world.now) == 1
