"""Transfers to accounts that settle in another currency: they wait for a bank, and what is converted is explained."""

import pytest

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.losses import adjustments, explanations
from multitask.payments.losses.explanations import Explanation
from multitask.payments.models import Adjustment, Operation, StatementLine
from multitask.users.actor import Actor
from tests.integration.statement.books import Books
from tests.payments_world import Job, held, user_id

SHARE = Money(8_500, "EUR")


def converting(world: Books) -> Actor:
    """A freelancer whose account at the provider settles euros in dollars."""
    freelancer = world.freelancer()
    rule = {"eur": {"currency": "usd", "rate": "1.10"}}
    account = world.account(freelancer).provider_account_id
    world.sandbox.control("POST", f"accounts/{account}/settlement", rule)
    return freelancer


def converted(world: Books) -> Job:
    """A share that was sent while the account seemed to have a bank account in euros, and was converted."""
    freelancer = converting(world)
    world.add_bank(freelancer, "EUR")
    job = world.released(Money(10_000, "EUR"), freelancer=freelancer)
    world.hear()
    world.read_all()
    return job


def in_account(world: Books, job: Job, currency: str) -> int:
    return held(f"provider:stripe:account:{world.account(job.freelancer).pk}", currency)


def test_a_share_waits_for_a_bank_account_in_its_currency(world: Books) -> None:
    job = world.released(Money(10_000, "EUR"), freelancer=converting(world))
    world.hear()
    world.read_all()
    waiting = Operation.objects.get(kind="create_transfer")
    assert (waiting.state, waiting.hold) == ("pending", "awaits_bank")
    assert (world.differences(), world.open_items()) == ([], [])
    assert world.wallet(job.freelancer, "EUR").pending == SHARE
    assert in_account(world, job, "EUR") == 0

    account = world.account(job.freelancer).provider_account_id
    world.sandbox.control("POST", f"accounts/{account}/settlement", {})
    world.add_bank(job.freelancer, "EUR")
    world.work()
    world.read_all()
    assert in_account(world, job, "EUR") == -8_500
    assert world.differences() == []


def test_an_adjustment_waits_for_a_bank_account_in_its_currency(world: Books) -> None:
    freelancer = converting(world)
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(freelancer), amount=SHARE, note="Our mistake", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    waiting = Operation.objects.get(kind="transfer_adjustment", subject_id=Adjustment.objects.get().pk)
    assert (waiting.state, waiting.hold) == ("pending", "awaits_bank")


def test_both_sides_of_a_conversion_are_open_items_and_the_books_stay_equal(world: Books) -> None:
    job = converted(world)
    for _time in range(2):
        assert world.differences() == []
        assert sorted(world.open_items()) == [("transfer", -8_500), ("transfer", 9_350)]
        assert (in_account(world, job, "EUR"), in_account(world, job, "USD")) == (0, -9_350)
        world.read_all()


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_conversion_is_explained_by_staff(world: Books, is_reversed: bool) -> None:
    job = converted(world)
    if is_reversed:
        world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
        world.hear()
        world.read_all()
    for line in StatementLine.objects.filter(state="open"):
        asked = explanations.explain(
            actor=world.staff(), line_id=line.pk, explanation=Explanation.EXCHANGE, note="Converted", now=world.now
        )
        approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.read_all()
    assert (world.differences(), world.open_items()) == ([], [])
    expected = (0, 0) if is_reversed else (-8_500, 9_350)
    assert (held("platform:exchange", "EUR"), held("platform:exchange", "USD")) == expected
