"""Idempotency keys that the provider has dropped, with a right or wrong clock of ours: each operation has one effect.

The provider's clock is moved, so each test has an offline Stripe of its own.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from multitask.payments.operations import engine
from tests.integration.payments.test_finding import Begin
from tests.integration.payments.test_keys import BY_KIND, LONGER_THAN_A_KEY_LIVES, unanswered
from tests.payments_world import World
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """An offline Stripe of the test's own."""
    with SandboxProcess(seed=7, arguments=("--memory",)) as process:
        yield process


@pytest.mark.parametrize("by_our_clock", [LONGER_THAN_A_KEY_LIVES, timedelta(minutes=1)], ids=["right", "behind"])
@BY_KIND
def test_an_attempt_that_comes_back_after_another_has_succeeded_changes_nothing(
    world: World, kind: str, thing: str, path: str, begin: Begin, by_our_clock: timedelta
) -> None:
    operation = unanswered(world, kind, path, begin)
    world.sandbox.add_fault("drop_response", method="POST", path=path, count=1)
    engine.perform(operation.pk, now=world.now)
    world.sandbox.advance(LONGER_THAN_A_KEY_LIVES.total_seconds())
    world.wait(by_our_clock)
    done = engine.perform(operation.pk, now=world.now)
    assert (done.state, done.generation) == ("succeeded", 1)
    world.wait(LONGER_THAN_A_KEY_LIVES)
    assert engine.perform(operation.pk, now=world.now).attempts == done.attempts
    assert len(world.made(thing, operation.reference)) == 1
