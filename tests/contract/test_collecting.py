"""Payments and refunds at every provider, whatever its currency, its ways to pay, and its keys."""

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
)
from tests.contract.conftest import People
from tests.contract.rigs import CHALLENGED_CARD, DECLINED_CARD, AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(Collects, Refunds)


def test_a_new_payment_waits(people: People) -> None:
    payment = people.payment()

    assert (payment.status, payment.amount) == (PaymentStatus.AWAITING, people.hundred)
    assert payment.continuation.token
    assert (payment.received, payment.collection_id, payment.fee, payment.available_at) == (None, "", None, None)


def test_two_payments_are_two(people: People) -> None:
    assert people.payment().id != people.payment().id


def test_a_payment_that_nobody_has_tried_to_pay_waits(people: People, provider: AnyProvider) -> None:
    payment = people.payment()

    read = provider.read_payment(payment.id)

    assert (read.id, read.status, read.received, read.collection_id) == (payment.id, PaymentStatus.AWAITING, None, "")


def test_a_paid_payment_names_what_was_received(people: People) -> None:
    payment = people.paid()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.received == payment.amount == people.hundred
    assert payment.settled in {None, people.hundred}
    assert payment.collection_id
    assert payment.available_at is not None
    assert payment.refunded == Money(0, people.rig.currency)
    assert payment.is_refundable


def test_a_declined_payment_waits_says_why_and_can_still_be_paid(people: People, rig: Rig) -> None:
    payment = people.payment()
    rig.pay(payment.continuation.token, DECLINED_CARD)

    declined = rig.provider.read_payment(payment.id)
    assert declined.status is PaymentStatus.AWAITING
    assert declined.failure_code
    assert declined.failure_message
    assert (declined.collection_id, declined.received) == ("", None)

    rig.pay(payment.continuation.token)
    assert rig.provider.read_payment(payment.id).status is PaymentStatus.SUCCEEDED


def test_a_question_asks_the_client_to_act(people: People) -> None:
    assert people.paid(card=CHALLENGED_CARD).status is PaymentStatus.ACTION_REQUIRED


def test_a_payment_is_found_by_its_reference_once_it_is_paid(people: People, provider: AnyProvider) -> None:
    paid = people.paid()

    found = provider.find_payment(reference=paid.reference, customer_id="")

    assert isinstance(found, Found)
    assert (found.object.id, found.object.collection_id) == (paid.id, paid.collection_id)
    assert provider.find_payment(reference=f"{paid.reference}0", customer_id="") == ABSENT


def test_a_payment_is_not_cancelled_once_it_is_paid(people: People, provider: AnyProvider, name: str) -> None:
    with pytest.raises(Rejected):
        provider.cancel_payment(payment_id=people.paid().id, key=f"{name}:1")


def test_what_is_not_representable_or_too_little_is_refused(people: People, provider: AnyProvider, name: str) -> None:
    least = provider.amount_rules(people.rig.currency).least_charge
    for amount in (Money(least - 1, people.rig.currency), Money(1, "KWD")):
        with pytest.raises(Rejected) as refusal:
            provider.create_payment(
                reference=name, amount=amount, customer_id=people.customer(), description="", key=f"{name}:1"
            )
        assert refusal.value.code in {"amount_too_small", "amount_not_representable"}


def test_a_part_and_then_the_rest_is_refunded(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()
    quarter, rest = Money(2_500, rig.currency), Money(7_500, rig.currency)

    part = provider.create_refund(
        reference=name, payment_id=payment.id, amount=quarter, key=name, collection_id=payment.collection_id
    )

    assert (part.status, part.amount, part.payment_id) == (RefundStatus.SUCCEEDED, quarter, payment.id)
    assert part.reference == name
    assert provider.read_refund(part.id).status is RefundStatus.SUCCEEDED
    assert provider.read_payment(payment.id).refunded == quarter
    other = provider.create_refund(
        reference=f"{name}:rest",
        payment_id=payment.id,
        amount=rest,
        key=f"{name}:rest",
        collection_id=payment.collection_id,
    )
    assert other.id != part.id
    assert provider.read_payment(payment.id).refunded == people.hundred


def test_no_more_than_is_left_is_refunded(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()

    with pytest.raises(Rejected) as refusal:
        provider.create_refund(reference=name, payment_id=payment.id, amount=Money(10_001, rig.currency), key=name)

    assert refusal.value.message
    assert provider.refund_failure(refusal.value.code, refusal.value.message).sentence
    assert provider.read_payment(payment.id).refunded == Money(0, rig.currency)


def test_a_refund_is_found(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    payment = people.paid()
    rig.settle()
    one, nothing = Money(100, rig.currency), Money(0, rig.currency)
    made = provider.create_refund(reference=name, payment_id=payment.id, amount=one, key=name)

    found = provider.find_refund(
        reference=name, payment_id=payment.id, collection_id=payment.collection_id, amount=one, refunded=nothing
    )

    assert found == Found(made)
