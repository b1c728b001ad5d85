"""Payments and refunds."""

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    ABSENT,
    Collects,
    Found,
    PaymentStatus,
    Refunds,
    RefundStatus,
    Rejected,
    SavesMethods,
)
from tests.contract.conftest import HUNDRED, People
from tests.contract.rigs import DECLINED_CARD, AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(Collects, Refunds, SavesMethods)


def test_a_new_payment_waits(provider: AnyProvider, people: People, name: str) -> None:
    payment = provider.create_payment(
        reference=name, amount=HUNDRED, customer_id=people.customer(), description="A task", key=name
    )

    assert (payment.status, payment.amount, payment.reference) == (PaymentStatus.AWAITING, HUNDRED, name)
    assert payment.continuation.token
    assert (payment.received, payment.collection_id, payment.fee, payment.available_at) == (None, "", None, None)


def test_a_payment_needs_no_customer_and_no_description(provider: AnyProvider, name: str) -> None:
    payment = provider.create_payment(reference=name, amount=HUNDRED, customer_id="", description="", key=name)

    assert provider.find_payment(reference=name, customer_id="") == Found(payment)


def test_the_same_key_makes_one_payment(provider: AnyProvider, name: str) -> None:
    first, second = (
        provider.create_payment(reference=name, amount=HUNDRED, customer_id="", description="", key=name)
        for _ in range(2)
    )

    assert first == second


def test_a_paid_payment_tells_what_came_of_it(people: People, rig: Rig) -> None:
    payment = people.paid()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.received == HUNDRED
    assert payment.collection_id
    assert payment.fee == Money(320, "USD")
    assert payment.available_at is not None
    assert payment.available_at > rig.now()
    assert payment.refunded == Money(0, "USD")


def test_a_yen_is_a_yen(people: People) -> None:
    payment = people.paid(Money(5_000, "JPY"))

    assert payment.received == Money(5_000, "JPY")
    assert payment.fee is not None


def test_a_krona_without_cents_is_charged_exactly(people: People) -> None:
    payment = people.paid(Money(1_500, "ISK"))

    assert payment.received == Money(1_500, "ISK")


def test_a_declined_card_leaves_the_payment_waiting_and_says_why(people: People, rig: Rig) -> None:
    payment = people.paid(card=DECLINED_CARD)

    assert payment.status is PaymentStatus.AWAITING
    assert payment.failure_code == "generic_decline"
    assert payment.failure_message
    assert (payment.collection_id, payment.received) == ("", None)

    rig.pay(payment.continuation.token)
    assert rig.provider.read_payment(payment.id).status is PaymentStatus.SUCCEEDED


def test_a_payment_is_found_by_its_reference(people: People, provider: AnyProvider, name: str) -> None:
    customer = people.customer()
    made = provider.create_payment(reference=name, amount=HUNDRED, customer_id=customer, description="", key=name)

    assert provider.find_payment(reference=name, customer_id=customer) == Found(made)
    assert provider.find_payment(reference=f"{name}0", customer_id=customer) == ABSENT
    assert provider.find_payment(reference=name, customer_id=people.customer()) == ABSENT


def test_a_customer_is_found_by_its_reference(provider: AnyProvider, name: str) -> None:
    made = provider.create_customer(reference=name, email="", name="", key=name)

    assert provider.find_customer(reference=name, email="") == Found(made)
    assert provider.find_customer(reference=f"{name}0", email="") == ABSENT


def test_a_customer_is_looked_for_among_those_with_its_address(provider: AnyProvider, name: str) -> None:
    made = provider.create_customer(reference=name, email="Ada+one@example.com", name="", key=name)

    assert provider.find_customer(reference=name, email="Ada+one@example.com") == Found(made)
    assert provider.find_customer(reference=name, email="somebody.else@example.com") == ABSENT


def test_a_payment_can_be_cancelled_once(people: People, provider: AnyProvider, name: str) -> None:
    payment = people.payment()

    assert provider.cancel_payment(payment_id=payment.id, key=name).status is PaymentStatus.CANCELLED
    assert provider.cancel_payment(payment_id=payment.id, key=name).status is PaymentStatus.CANCELLED
    with pytest.raises(Rejected):
        provider.cancel_payment(payment_id=payment.id, key=f"{name}:again")


@pytest.mark.parametrize("amount", [Money(49, "USD"), Money(1, "JPY"), Money(1_234, "KWD")])
def test_an_amount_that_cannot_be_charged_is_refused(provider: AnyProvider, name: str, amount: Money) -> None:
    with pytest.raises(Rejected) as refusal:
        provider.create_payment(reference=name, amount=amount, customer_id="", description="", key=name)

    assert refusal.value.code in {"amount_too_small", "amount_not_representable"}
    assert provider.find_payment(reference=name, customer_id="") == ABSENT


def test_a_payment_that_does_not_exist_is_refused(provider: AnyProvider) -> None:
    with pytest.raises(Rejected) as refusal:
        provider.read_payment("pi_1DoesNotExist")

    assert refusal.value.code == "resource_missing"


def test_the_same_key_refunds_once(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()

    first, second = (
        provider.create_refund(reference=name, payment_id=payment.id, amount=Money(100, "USD"), key=name)
        for _ in range(2)
    )

    assert first.id == second.id
    assert provider.read_payment(payment.id).refunded == Money(100, "USD")


def test_more_than_is_left_is_not_given_back(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()

    with pytest.raises(Rejected) as refusal:
        provider.create_refund(reference=name, payment_id=payment.id, amount=Money(10_001, "USD"), key=name)

    assert refusal.value.message
    assert provider.find_refund(reference=name, payment_id=payment.id) == ABSENT


def test_a_refund_is_found_by_its_reference(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()
    made = provider.create_refund(reference=name, payment_id=payment.id, amount=Money(100, "USD"), key=name)

    assert provider.find_refund(reference=name, payment_id=payment.id) == Found(made)
    assert provider.find_refund(reference=f"{name}0", payment_id=payment.id) == ABSENT


@pytest.mark.parametrize(
    ("card", "then"), [("4000000000007726", RefundStatus.SUCCEEDED), ("4000000000005126", RefundStatus.FAILED)]
)
def test_a_refund_may_change_its_mind(
    people: People, rig: Rig, provider: AnyProvider, name: str, card: str, then: RefundStatus
) -> None:
    payment = people.paid(card=card)
    rig.settle()
    refund = provider.create_refund(reference=name, payment_id=payment.id, amount=HUNDRED, key=name)
    assert refund.status is not then

    rig.pass_time(8 * 86_400)

    changed = provider.read_refund(refund.id)
    assert changed.status is then
    assert bool(changed.failure_code) == bool(changed.failure_message) == (then is RefundStatus.FAILED)
