"""Each way in which a payout ends, with the worker killed before, during and after its call.

Never are there two payouts, never is a reserve lost, and what cannot be known ends in front of the staff.
"""

import contextlib
from collections.abc import Callable

import pytest

from multitask.payments.models import Disbursement, Operation, Withdrawal
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import budget, overdue_payouts, undecided_payouts
from multitask.payments.payouts.disbursements import Disburse
from multitask.payments.provider import ProviderError
from tests.egypt_world import (
    BUDGET,
    EXCEEDS,
    FAILS,
    PENDS,
    PENDS_THEN_FAILS,
    PENDS_THEN_RETURNS,
    RETURNS,
    STAYS_PENDING,
    SUCCEEDS,
    UNKNOWN,
    EgyptWorld,
    disbursement_of,
    pounds,
)
from tests.payments_world import held

WANTED = pounds("850.00")
ENDS = {
    SUCCEEDS: "completed",
    PENDS: "completed",
    FAILS: "failed",
    PENDS_THEN_FAILS: "failed",
    RETURNS: "failed",
    UNKNOWN: "undecided",
    EXCEEDS: "open",
    PENDS_THEN_RETURNS: "failed",
    STAYS_PENDING: "undecided",
}
# Payouts that the provider answers as pending first.
OTHERS = [(number, "instapay") for number in (PENDS, UNKNOWN, STAYS_PENDING)]


def not_killed(_world: EgyptWorld, operation: Operation) -> None:
    engine.perform(operation.pk, now=_world.now)


def before(world: EgyptWorld, operation: Operation) -> None:
    """The process ends between the claim and the call."""
    engine._claim(operation.pk, world.now)


def during(world: EgyptWorld, operation: Operation) -> None:
    """The connection breaks once the provider has the request."""
    world.paymob.add_fault("drop_response", method="POST", path="*/disburse/", count=1)
    engine.perform(operation.pk, now=world.now)


def after(world: EgyptWorld, operation: Operation) -> None:
    """The process ends with the answer in its hands."""
    claimed, _ = engine._claim(operation.pk, world.now)
    with contextlib.suppress(ProviderError):
        Disburse().call(world.paymob_provider, claimed)


def recover(world: EgyptWorld) -> None:
    """Do for two days what workers do: sweep, perform, allot, poll."""
    for _ in range(24):
        world.wait(hours=2)
        world.paymob.advance(7_200)
        sweeper.sweep(now=world.now)
        world.allot()
        for known in Disbursement.objects.exclude(provider_payout_id=None):
            with contextlib.suppress(ProviderError):
                world.learn_of_disbursement(known)
        world.work()


@pytest.mark.parametrize("kill", [not_killed, before, during, after])
@pytest.mark.parametrize(("number", "issuer"), [*[(number, "vodafone") for number in ENDS], *OTHERS])
def test_never_two_payouts_and_never_a_reserve_lost(
    world: EgyptWorld, number: str, kill: Callable[[EgyptWorld, Operation], None], issuer: str
) -> None:
    payee = world.payee(number, issuer=issuer)
    world.earned(payee)
    world.fill_budget(pounds("5000.00"))
    withdrawal = world.withdraw(payee, WANTED)
    _allot_only(world)
    operation = Operation.objects.get(kind="disburse")

    kill(world, operation)
    recover(world)

    withdrawal.refresh_from_db()
    operation.refresh_from_db()
    there = [row for row in world.payouts_there() if row["charged"] or row["status"] != "failed"]
    assert len(there) <= 1
    _assert_end(world, withdrawal, operation, ENDS[number], kill)
    money = world.paymob.control("GET", "money")
    if withdrawal.state != "processing" and operation.state == "succeeded":
        assert -held(BUDGET, "EGP") == money["budget"] + money["in_transit"]


def _assert_end(
    world: EgyptWorld,
    withdrawal: Withdrawal,
    operation: Operation,
    end: str,
    kill: Callable[[EgyptWorld, Operation], None],
) -> None:
    user = withdrawal.user_id
    reserved = held(f"user:{user}:withdrawing", "EGP")
    available = held(f"user:{user}:available", "EGP")
    if kill is before:
        # Nothing was sent, which nobody can know: it is not sent again on a guess.
        assert operation.hold == "outcome_unknown"
        assert (withdrawal.state, reserved) == ("pending", WANTED.amount_minor)
    elif end == "completed":
        assert (withdrawal.state, reserved, available) == ("completed", 0, 0)
    elif end == "failed":
        assert (withdrawal.state, reserved, available) == ("failed", 0, WANTED.amount_minor)
    else:
        assert (withdrawal.state in {"pending", "processing"}, reserved) == (True, WANTED.amount_minor)
        assert disbursement_of(withdrawal).ended_at is None
        world.wait(overdue_payouts.OVERDUE_AFTER)
        world.allot()
        # Of a payout whose answer was lost and which is not listed, nobody can know that the budget was too short.
        assert undecided_payouts.found().exists() is (end == "undecided" or kill is not not_killed)


def _allot_only(world: EgyptWorld) -> None:
    """Allot the budget, and leave the call to the test."""
    budget.allot(provider="paymob", currency="EGP", now=world.now)
    world.lose_jobs()
