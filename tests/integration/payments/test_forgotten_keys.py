"""Keys that the provider has forgotten, while our clock is right or wrong: each operation has one effect.

The provider's clock is moved, so each test has an offline Stripe of its own.
"""

from collections.abc import Iterator

import pytest

from multitask.payments import operations
from tests.integration.payments.test_finding import Begin
from tests.integration.payments.test_keys import BY_KIND, LONGER_THAN_A_KEY_LIVES, unanswered
from tests.integration.payments.test_operations import UNHEARD, effects, fail_next, perform, ready
from tests.payments_world import World
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """An offline Stripe of the test's own."""
    with SandboxProcess(seed=7, arguments=("--memory",)) as process:
        yield process


def test_a_key_that_is_young_by_a_wrong_clock_is_not_sent_blindly(world: World) -> None:
    """Our clock was set back, or stood still: the provider has forgotten the key, and we think it is young."""
    job = ready(world)
    fail_next(world, UNHEARD)
    perform(world, job)
    world.sandbox.advance(2 * 86_400)
    world.wait(minutes=1)
    done = perform(world, job)
    assert (done.state, done.generation, effects(world, job)) == ("succeeded", 1, 1)


@BY_KIND
def test_an_attempt_that_comes_back_after_another_has_succeeded_changes_nothing(
    world: World, kind: str, thing: str, path: str, begin: Begin
) -> None:
    operation = unanswered(world, kind, path, begin)
    world.sandbox.add_fault("drop_response", method="POST", path=path, count=1)
    operations.perform(operation.pk, now=world.now)
    world.sandbox.advance(LONGER_THAN_A_KEY_LIVES.total_seconds())
    world.wait(LONGER_THAN_A_KEY_LIVES)
    done = operations.perform(operation.pk, now=world.now)
    assert (done.state, done.generation) == ("succeeded", 1)
    world.wait(LONGER_THAN_A_KEY_LIVES)
    assert operations.perform(operation.pk, now=world.now).attempts == done.attempts
    assert len(world.made(thing, operation.reference)) == 1
