"""A process that is paused for longer than a key lives, at any point between its claim and its call.

Another worker finishes the operation meanwhile. What the first then sends would be made anew by the provider, which
has forgotten the key: so it must send nothing.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest

from multitask.payments.models import Operation
from multitask.payments.operations import boot_clock, engine
from tests.integration.payments.test_finding import Begin, begin_account, begin_payment, begin_transfer
from tests.integration.payments.test_keys import LONGER_THAN_A_KEY_LIVES
from tests.payments_world import World, dollars
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """An offline Stripe of the test's own, since its clock is moved."""
    with SandboxProcess(seed=7, arguments=("--memory",)) as process:
        yield process


def begin_partial_payout(world: World) -> None:
    world.withdraw(world.settled().freelancer, dollars("10.00"))
    world.work()


def begin_partial_refund(world: World) -> None:
    world.refund(world.funded(), amount=dollars("10.00"))
    world.work()


# Of whole payouts and refunds a second one would be refused for want of money: these would go through twice.
KINDS = [
    ("create_payout", "payout", "/v1/payouts", begin_partial_payout),
    ("create_refund", "refund", "/v1/refunds", begin_partial_refund),
    ("create_transfer", "transfer", "/v1/transfers", begin_transfer),
    ("create_account", "account", "/v1/accounts", begin_account),
    ("create_customer", "customer", "/v1/customers", begin_payment),
    ("create_payment", "payment_intent", "/v1/payment_intents", begin_payment),
]
BY_KIND = pytest.mark.parametrize(("kind", "thing", "path", "begin"), KINDS, ids=[kind for kind, *_ in KINDS])


class Pause:
    """A steady clock in a process that is paused once, at its first look at the clock after a condition holds."""

    def __init__(self, world: World, operation: Operation, has_come: Callable[[Operation], bool]) -> None:
        self.world, self.operation, self.has_come = world, operation, has_come
        self.seconds, self.was_paused = 0.0, False

    def __call__(self) -> float:
        self.operation.refresh_from_db()
        if not self.was_paused and self.has_come(self.operation):
            self.was_paused = True
            self._let_another_worker_finish()
            self.seconds = LONGER_THAN_A_KEY_LIVES.total_seconds()
        return self.seconds

    def _let_another_worker_finish(self) -> None:
        self.world.wait(minutes=1)
        done = engine.perform(self.operation.pk, now=self.world.now)
        assert done.state == "succeeded"
        self.world.sandbox.advance(LONGER_THAN_A_KEY_LIVES.total_seconds())
        self.world.wait(LONGER_THAN_A_KEY_LIVES)


@BY_KIND
@pytest.mark.parametrize(
    ("fault", "state", "claims"),
    [("rate_limit", "pending", 1), ("drop_request", "unknown", 1), ("drop_request", "unknown", 2)],
    ids=["after the claim", "after the claim, before the look", "after the look"],
)
def test_a_pause_sends_nothing(
    world: World, kind: str, thing: str, path: str, begin: Begin, fault: str, state: str, claims: int
) -> None:
    world.sandbox.add_fault(fault, method="POST", path=path, count=1)
    begin(world)
    world.lose_jobs()
    world.wait(minutes=1)
    operation = Operation.objects.get(kind=kind, state=state)
    attempts, claimed_at = operation.attempts, world.now

    def has_come(seen: Operation) -> bool:
        is_ours = seen.attempts == attempts + 1 and seen.state == "sent"
        return is_ours and (claims == 1 or seen.sent_at != claimed_at)

    # The look takes a moment, so that the claim made anew after it is another.
    pause, ticks = Pause(world, operation, has_come), itertools.count()
    with boot_clock.using(lambda: pause() + 0.001 * next(ticks)):
        engine.perform(operation.pk, now=claimed_at)
    assert pause.was_paused
    assert len(world.made(thing, operation.reference)) == 1
    operation.refresh_from_db()
    assert operation.state == "succeeded"
