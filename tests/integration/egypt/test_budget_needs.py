"""How much is to be topped up: enough for what waits with its costs, and never nothing while one is refused."""

import pytest

from multitask.money import Money
from multitask.payments.models import Disbursement, PayoutBudget, Withdrawal
from multitask.payments.payouts import budget, budget_needs
from multitask.payments.reads import payout_budgets
from multitask.users.actor import Actor
from tests.egypt_world import EgyptWorld, disbursement_of, pounds


def needed(world: EgyptWorld) -> Money:
    return payout_budgets.view(PayoutBudget.objects.get(), world.now).needed_now


def waits_for(world: EgyptWorld, payee: Actor, amount: str) -> Withdrawal:
    return world.withdrawn(payee, pounds(amount))


@pytest.fixture
def payee(world: EgyptWorld) -> Actor:
    payee = world.payee()
    world.earned(payee)
    return payee


def test_exactly_what_is_needed_lets_the_payout_leave_with_default_settings(world: EgyptWorld, payee: Actor) -> None:
    withdrawal = waits_for(world, payee, "850.00")
    world.fill_budget(needed(world))
    withdrawal.refresh_from_db()
    assert (withdrawal.state, needed(world)) == ("completed", pounds("0.00"))


def test_what_earlier_payouts_cost_is_needed_for_later_ones(world: EgyptWorld, payee: Actor) -> None:
    waits_for(world, payee, "100.00")
    world.fill_budget(pounds("200.00"))
    paid = Disbursement.objects.get()
    costs = (paid.fee_minor or 0) + (paid.tax_minor or 0)
    assert costs > 0
    held = budget.held("paymob", "EGP")
    waits_for(world, payee, "100.00")
    assert needed(world) == Money(10_000 + costs, "EGP") - held
    world.fill_budget(needed(world))
    assert Disbursement.objects.filter(ended_at=None).count() == 0
    assert budget.held("paymob", "EGP") == pounds("0.00")


def test_a_refused_payout_counts_until_it_leaves(world: EgyptWorld, payee: Actor) -> None:
    withdrawal = waits_for(world, payee, "850.00")
    world.fill_budget(pounds("850.00"))  # Its fee and tax are not covered.
    for _ in range(5):
        assert needed(world).amount_minor > 0
        world.wait(minutes=16)
        budget.compare(provider="paymob", currency="EGP", now=world.now)
        world.allot()
    assert disbursement_of(withdrawal).allotted_at is None
    world.fill_budget(needed(world))
    withdrawal.refresh_from_db()
    assert (withdrawal.state, needed(world)) == ("completed", pounds("0.00"))


def test_reported_costs_of_a_payout_under_way_are_kept_for_it(world: EgyptWorld) -> None:
    payee = world.payee("01000000009", issuer="orange")
    world.earned(payee)
    waits_for(world, payee, "100.00")
    world.fill_budget(pounds("200.00"))
    under_way = Disbursement.objects.get()
    assert under_way.ended_at is None
    costs = (under_way.fee_minor or 0) + (under_way.tax_minor or 0)
    assert costs > 0
    assert budget.free(PayoutBudget.objects.get()) == 10_000 - costs


@pytest.mark.parametrize(
    ("amount", "seen", "costs"),
    [
        (10_000, [(10_000, 285)], 285),
        (5_000, [(10_000, 285)], 285),
        (20_000, [(10_000, 285)], 570),
        (20_000, [(10_000, 285), (100_000, 800)], 570),
        (20_000, [(10_000, 0)], 0),
        (10_000, [], 700),
    ],
)
def test_costs_are_bounded_by_those_of_larger_and_of_smaller_payouts(
    amount: int, seen: list[budget_needs.Seen], costs: int
) -> None:
    assert budget_needs.expected_costs(amount, seen) == costs
