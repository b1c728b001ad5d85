"""What the proof of escrow counts as held in EGP."""

from multitask.payments.books.proof import held as proof_held
from multitask.payments.payouts import budget_records
from tests.egypt_world import BANK, BUDGET, COLLECTED, EgyptWorld, pounds
from tests.payments_world import held


def test_money_in_the_bank_and_in_the_budget_is_held(world: EgyptWorld) -> None:
    world.earned(world.payee())
    before = proof_held.by_currency()["EGP"].total
    budget_records.settle_to_bank(
        actor=world.staff("finance"),
        provider="paymob",
        amount=pounds("1000.00"),
        fee=pounds("0.00"),
        happened_on=world.now.date(),
        reference="S-1",
        now=world.now,
    )
    world.fill_budget(pounds("600.00"))
    assert (held(COLLECTED, "EGP"), held(BANK, "EGP"), held(BUDGET, "EGP")) == (0, -40_000, -60_000)

    found = proof_held.by_currency()["EGP"]

    assert (found.total, found.reported) == (before, 0)
    assert found.total == 100_000
    assert found.unreported == 100_000
