"""A provider that does not answer: requests are refused at once and lose nothing."""

import pytest

from multitask import providers
from multitask.payments.errors import ProviderUnavailable
from multitask.payments.funding import saved_methods
from multitask.payments.models import Operation
from multitask.payments.operations import boot_clock, engine, sweeper
from multitask.providers import circuit_breaker
from tests.payments_world import World


def stop_answering(world: World) -> None:
    """Make enough calls without a response to open the breaker."""
    world.sandbox.add_fault("drop_request", count=circuit_breaker.FAILURES_TO_OPEN)
    for _ in range(circuit_breaker.FAILURES_TO_OPEN):
        with pytest.raises(ProviderUnavailable):
            world.ask_to_pay(world.hired())


def test_a_request_is_refused_at_once_and_writes_nothing(world: World) -> None:
    stop_answering(world)
    job = world.hired()
    with pytest.raises(ProviderUnavailable) as refusal:
        world.ask_to_pay(job)
    assert refusal.value.detail == "provider_not_answering"
    assert 1 <= refusal.value.retry_after <= circuit_breaker.FIRST_PAUSE_SECONDS
    assert not Operation.objects.filter(escrow__agreement__task=job.task_id).exists()


def test_what_was_refused_is_finished_by_the_sweeper_and_by_asking_again(world: World) -> None:
    stop_answering(world)
    job = world.hired()
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    began = boot_clock.seconds()
    with boot_clock.using(lambda: began + circuit_breaker.FIRST_PAUSE_SECONDS):
        world.wait(engine.CLAIM)
        sweeper.sweep(now=world.now)
        world.work()
        assert world.ask_to_pay(job).payment.provider_payment_id
    assert len(world.made("payment_intent", f"create_payment:{job.payment.pk}:1")) == 1


def test_calls_that_need_no_operation_are_refused_at_once_too(world: World) -> None:
    client = world.client()
    saved_methods.begin_setup(actor=client, now=world.now, request_key="a")
    stop_answering(world)
    with pytest.raises(ProviderUnavailable) as refusal:
        saved_methods.begin_setup(actor=client, now=world.now, request_key="b")
    assert refusal.value.detail == "provider_not_answering"


def test_reads_count_as_answers(world: World) -> None:
    job = world.funded()
    stop_answering(world)
    later = boot_clock.seconds() + circuit_breaker.FIRST_PAUSE_SECONDS
    with boot_clock.using(lambda: later), circuit_breaker.from_request():
        world.learn_of_payment(job)
    assert world.ask_to_pay(world.hired()).payment.provider_payment_id


def test_every_provider_has_a_breaker() -> None:
    for provider in providers.every():
        provider.require_answering()
