"""Payouts that the provider has accepted and not ended: they have left its budget, and are still in our books."""

import pytest

from multitask.payments.models import PayoutBudget
from multitask.payments.payouts import budget, withdrawal_cancellation
from tests.egypt_world import (
    BUDGET,
    EXCEEDS,
    PENDS,
    PENDS_THEN_FAILS,
    STAYS_PENDING,
    EgyptWorld,
    disbursement_of,
    pounds,
)
from tests.payments_world import held


def compared(world: EgyptWorld) -> PayoutBudget:
    return budget.compare(provider="paymob", currency="EGP", now=world.now)


def test_they_are_no_difference(world: EgyptWorld) -> None:
    payee = world.payee(STAYS_PENDING, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    payout = disbursement_of(withdrawal)
    assert (withdrawal.state, held(BUDGET, "EGP")) == ("processing", -200_000)
    assert payout.fee_minor

    found = compared(world)

    assert (found.reported_minor, found.differs_since) == (found.expected_minor, None)
    assert found.expected_minor == 200_000 - 85_000 - payout.fee_minor - (payout.tax_minor or 0)


@pytest.mark.parametrize(("number", "state"), [(PENDS, "completed"), (PENDS_THEN_FAILS, "failed")])
def test_their_costs_are_posted_only_when_they_are_paid(world: EgyptWorld, number: str, state: str) -> None:
    payee = world.payee(number, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    assert (withdrawal.state, held("platform:payout_fees", "EGP")) == ("processing", 0)

    world.paymob.control("POST", "clock", {"seconds": 4 * 24 * 3600})
    world.learn_of_disbursement(disbursement_of(withdrawal))

    withdrawal.refresh_from_db()
    payout = disbursement_of(withdrawal)
    assert (withdrawal.state, payout.fee_minor is None) == (state, state == "failed")
    assert held("platform:payout_fees", "EGP") == -(payout.fee_minor or 0)
    assert compared(world).differs_since is None


def test_after_a_refusal_they_are_reserved_once(world: EgyptWorld) -> None:
    pending, refused, third = world.payee(STAYS_PENDING, issuer="orange"), world.payee(EXCEEDS), world.payee()
    for payee in (pending, refused, third):
        world.earned(payee)
    world.fill_budget(pounds("1800.00"))
    world.withdrawn(pending, pounds("850.00"))
    second = world.withdrawn(refused, pounds("10.00"))
    withdrawal_cancellation.cancel(actor=refused, withdrawal_id=second.pk, now=world.now)
    assert PayoutBudget.objects.get().refused_at is not None
    world.paymob.control("POST", "topups", {"amount": 100})
    world.wait(minutes=16)
    compared(world)
    assert PayoutBudget.objects.get().refused_at is not None

    last = world.withdrawn(third, pounds("700.00"))
    assert last.state == "completed"


def test_an_equal_comparison_ends_a_refusal(world: EgyptWorld) -> None:
    payee = world.payee(EXCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("1800.00"))
    withdrawal = world.withdrawn(payee, pounds("10.00"))
    withdrawal_cancellation.cancel(actor=payee, withdrawal_id=withdrawal.pk, now=world.now)
    world.wait(minutes=16)
    assert compared(world).refused_at is None
