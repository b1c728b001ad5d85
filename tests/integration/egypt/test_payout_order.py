"""Payouts leave in the order in which they were asked for, also when the provider has less than the books."""

import pytest

from multitask.payments.models import Disbursement, Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import budget, budget_records
from tests.egypt_world import EgyptWorld, disbursement_of, pounds
from tests.integration.races import together


@pytest.fixture
def allotted(world: EgyptWorld) -> list[Operation]:
    """The calls of payouts of 850, 100 and 50 pounds, which the books cover and the provider, with 500, does not."""
    payees = [world.payee() for _ in range(3)]
    for payee in payees:
        world.earned(payee)
    amounts = ("850.00", "100.00", "50.00")
    made = [world.withdraw(payee, pounds(amount)) for payee, amount in zip(payees, amounts, strict=True)]
    world.lose_jobs()
    world.paymob.control("POST", "topups", {"amount": 50_000})
    budget_records.top_up(
        actor=world.staff("finance"),
        provider="paymob",
        amount=pounds("2000.00"),
        happened_on=world.now.date(),
        reference="T-1",
        now=world.now,
    )
    budget.allot(provider="paymob", currency="EGP", now=world.now)
    world.lose_jobs()
    assert Disbursement.objects.filter(allotted_at__isnull=False).count() == 3
    return [Operation.objects.get(kind="disburse", subject_id=disbursement_of(one).pk) for one in made]


def references() -> list[str]:
    return [str(reference) for reference in Disbursement.objects.order_by("pk").values_list("reference", flat=True)]


def sent(world: EgyptWorld) -> list[str]:
    return [row["client_reference"] for row in world.payouts_there()]


def test_later_ones_do_not_overtake_one_that_is_refused(world: EgyptWorld, allotted: list[Operation]) -> None:
    for call in allotted:
        engine.perform(call.pk, now=world.now)
    assert sent(world) == []
    assert Disbursement.objects.filter(allotted_at__isnull=False).count() == 0

    world.paymob.control("POST", "topups", {"amount": 150_000})
    world.wait(minutes=16)
    budget.compare(provider="paymob", currency="EGP", now=world.now)
    world.work()
    assert len(sent(world)) == len(allotted)
    amounts = list(Disbursement.objects.filter(provider_payout_id__isnull=False).values_list("amount_minor", flat=True))
    assert sorted(amounts) == [5_000, 10_000, 85_000]


def test_a_later_one_waits_for_the_answer_to_an_earlier_one(world: EgyptWorld, allotted: list[Operation]) -> None:
    assert engine.perform(allotted[1].pk, now=world.now).hold == "awaits_turn"
    assert engine.perform(allotted[2].pk, now=world.now).hold == "awaits_turn"
    world.paymob.control("POST", "topups", {"amount": 150_000})
    engine.perform(allotted[0].pk, now=world.now)
    assert sent(world) == references()[:1]
    world.work()
    assert sent(world) == references()


@pytest.mark.django_db(transaction=True)
def test_sent_at_once_none_overtakes_the_first(world: EgyptWorld, allotted: list[Operation]) -> None:
    together([lambda call=call: engine.perform(call.pk, now=world.now) for call in reversed(allotted)])
    assert sent(world) == []
