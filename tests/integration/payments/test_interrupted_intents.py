"""Intents whose process was killed between the commit of the intent and the outcome of its calls."""

import pytest
from pytest_django import Settings

from multitask.marketplace import work
from multitask.payments.errors import ProviderRefused, TooManyRequests
from multitask.payments.funding import intents
from multitask.payments.models import Operation
from multitask.payments.operations import sweeper
from multitask.users.models import User
from tests.payments_world import Job, World, user_id


def begin_and_die(world: World, job: Job) -> None:
    """Commit the intent with its claimed calls, and make none of them."""
    intents._prepare(job.client, job.task.milestones[0].pk, world.now)


def sweep(world: World, times: int) -> None:
    for _ in range(times):
        world.wait(minutes=20)
        sweeper.sweep(now=world.now)
        world.work()


def refuse_customers_of(job: Job) -> None:
    User.objects.filter(pk=user_id(job.client)).update(email="not an address")


def test_the_sweeper_makes_the_calls_of_an_intent_that_was_cut_off(world: World) -> None:
    job = world.hired()
    begin_and_die(world, job)
    sweep(world, 2)
    assert job.payment.provider_payment_id
    assert len(world.made("payment_intent", f"create_payment:{job.payment.pk}:1")) == 1
    assert world.ask_to_pay(job).payment == job.payment


def test_called_off_without_a_customer_it_comes_to_an_end(world: World) -> None:
    job = world.hired()
    refuse_customers_of(job)
    begin_and_die(world, job)
    sweep(world, 3)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    sweep(world, 3)
    assert job.payment.state == "cancelled"
    assert not Operation.objects.exclude(state__in=["succeeded", "failed"]).exists()


def test_customers_that_are_refused_again_and_again_are_limited(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 2
    job = world.hired()
    refuse_customers_of(job)
    for _ in range(3):
        with pytest.raises(ProviderRefused):
            world.ask_to_pay(job)
    with pytest.raises(TooManyRequests):
        world.ask_to_pay(job)
