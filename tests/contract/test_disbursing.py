"""Payouts from the platform's budget."""

import uuid

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    Absent,
    CannotTell,
    Destination,
    DestinationKind,
    Disburses,
    Found,
    PayoutStatus,
    Rejected,
    Unavailable,
    Unknown,
)
from tests.contract.rigs import AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(Disburses)

BANK = Destination(
    kind=DestinationKind.BANK, number="EG380019000500000000263180002", bank_code="CIB", holder="Mona Ali"
)
INSTAPAY = Destination(kind=DestinationKind.INSTAPAY, number="1234567890123", bank_code="NBE", holder="Mona Ali")
WALLET = Destination(kind=DestinationKind.WALLET, issuer="vodafone", number="01020304050", holder="Mona Ali")
ALL = (BANK, INSTAPAY, WALLET)


@pytest.fixture
def amount(rig: Rig) -> Money:
    """More than the least of every kind, and not a whole number."""
    return Money(12_345, rig.currency)


def reference() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("destination", ALL, ids=lambda each: str(each.kind))
def test_a_payout_leaves_the_budget_with_its_costs(
    provider: AnyProvider, rig: Rig, amount: Money, destination: Destination
) -> None:
    before, name = provider.read_budget(rig.currency), reference()

    payout = provider.disburse(reference=name, destination=destination, amount=amount)

    assert payout.status in {PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT, PayoutStatus.PAID}
    assert (payout.amount, payout.reference, payout.account_id) == (amount, name, "")
    assert payout.fee is not None
    assert payout.tax is not None
    assert before - provider.read_budget(rig.currency) == amount + payout.fee + payout.tax


@pytest.mark.parametrize("destination", ALL, ids=lambda each: str(each.kind))
def test_a_payout_is_found_and_read(provider: AnyProvider, amount: Money, destination: Destination) -> None:
    name = reference()
    payout = provider.disburse(reference=name, destination=destination, amount=amount)

    assert provider.find_disbursement(reference=name, kind=destination.kind) == Found(payout)
    assert provider.read_disbursement(payout.id) == payout
    assert provider.read_disbursements([payout.id, "nothing"]) == {payout.id: payout}


def test_a_payout_to_a_bank_is_paid_later(provider: AnyProvider, rig: Rig, amount: Money) -> None:
    payout = provider.disburse(reference=reference(), destination=BANK, amount=amount)
    assert payout.status is PayoutStatus.PENDING

    rig.pass_time(86_400)

    assert provider.read_disbursement(payout.id).status is PayoutStatus.PAID


def test_a_used_reference_pays_out_once(provider: AnyProvider, rig: Rig, amount: Money) -> None:
    name = reference()
    provider.disburse(reference=name, destination=WALLET, amount=amount)
    after = provider.read_budget(rig.currency)

    with pytest.raises(Unknown):
        provider.disburse(reference=name, destination=WALLET, amount=amount)

    assert provider.read_budget(rig.currency) == after


def test_a_payout_that_is_not_listed_is_never_absent(provider: AnyProvider) -> None:
    answer = provider.find_disbursement(reference=reference(), kind=DestinationKind.BANK)

    assert isinstance(answer, CannotTell)
    assert not isinstance(answer, Absent)


def test_a_payout_that_does_not_exist_cannot_be_read(provider: AnyProvider) -> None:
    with pytest.raises(Rejected) as refusal:
        provider.read_disbursement(reference())
    assert refusal.value.code == "resource_missing"


def test_more_than_the_budget_waits_under_a_new_reference(provider: AnyProvider, rig: Rig) -> None:
    before = provider.read_budget(rig.currency)
    name = reference()

    with pytest.raises(Unavailable) as refusal:
        provider.disburse(reference=name, destination=BANK, amount=before)

    assert (refusal.value.code, refusal.value.key_spent) == ("budget_short", True)
    assert provider.read_budget(rig.currency) == before


@pytest.mark.parametrize("destination", ALL, ids=lambda each: str(each.kind))
def test_less_than_the_least_is_refused(provider: AnyProvider, rig: Rig, destination: Destination) -> None:
    least = provider.least_disbursement(destination.kind, rig.currency)
    with pytest.raises(Rejected) as refusal:
        provider.disburse(reference=reference(), destination=destination, amount=least - Money(1, rig.currency))
    assert refusal.value.code == "amount_too_small"

    assert provider.disburse(reference=reference(), destination=destination, amount=least).amount == least


def test_more_than_the_most_is_refused(provider: AnyProvider, rig: Rig) -> None:
    found = [(destination, provider.most_disbursement(destination.kind, rig.currency)) for destination in ALL]
    limited = [(destination, most) for destination, most in found if most is not None]
    assert WALLET in [destination for destination, _ in limited]
    for destination, most in limited:
        with pytest.raises(Rejected) as refusal:
            provider.disburse(reference=reference(), destination=destination, amount=most + Money(1, rig.currency))
        assert refusal.value.code == "amount_too_large"


def test_details_that_are_refused_move_nothing(provider: AnyProvider, rig: Rig, amount: Money) -> None:
    before = provider.read_budget(rig.currency)
    wrong = Destination(kind=DestinationKind.BANK, number="123456789", bank_code="NONE", holder="Mona Ali")

    with pytest.raises(Rejected) as refusal:
        provider.disburse(reference=reference(), destination=wrong, amount=amount)

    assert provider.payout_failure(refusal.value.code, refusal.value.message).needs_new_details
    assert provider.read_budget(rig.currency) == before


def test_a_lost_answer_is_unknown_and_the_payout_is_found(provider: AnyProvider, rig: Rig, amount: Money) -> None:
    before, name = provider.read_budget(rig.currency), reference()
    rig.fail("drop_response", "POST", "*/disburse/*")

    with pytest.raises(Unknown):
        provider.disburse(reference=name, destination=WALLET, amount=amount)

    assert provider.read_budget(rig.currency) < before, "it was paid although the answer was lost"
    found = provider.find_disbursement(reference=name, kind=WALLET.kind)
    assert isinstance(found, Found)
    assert found.object.amount == amount


def test_a_lost_request_is_unknown_and_not_absent(provider: AnyProvider, rig: Rig, amount: Money) -> None:
    before, name = provider.read_budget(rig.currency), reference()
    rig.fail("drop_request", "POST", "*/disburse/*")

    with pytest.raises(Unknown):
        provider.disburse(reference=name, destination=WALLET, amount=amount)

    assert provider.read_budget(rig.currency) == before
    assert isinstance(provider.find_disbursement(reference=name, kind=WALLET.kind), CannotTell)
