"""Paymob over the wire: refunds, which it knows by their totals alone."""

import pytest

from multitask.money import Money
from multitask.payments.provider import ABSENT, CannotTell, Found, RefundStatus, Rejected, Unknown
from multitask.providers.paymob.adapter import PaymobProvider
from tests.contract.paymob_rig import PaymobRig
from tests.contract.rigs import GOOD_CARD
from tests.integration.providers.paymob_payments import (
    HUNDRED,
    NOTHING,
    create,
    paid,
    refund,
    refunds_of,
    search,
)


def test_a_card_payment_of_today_is_voided(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name)

    assert refund(provider, payment).status is RefundStatus.SUCCEEDED
    (void,) = [each for each in rig.sandbox.money()["transactions"] if str(each["parent"]) == payment.collection_id]
    assert void["kind"] == "void"


def test_a_void_that_is_refused_becomes_a_refund(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name)
    rig.settle()

    assert refund(provider, payment).status is RefundStatus.SUCCEEDED
    (made,) = [each for each in rig.sandbox.money()["transactions"] if str(each["parent"]) == payment.collection_id]
    assert made["kind"] == "refund"


def test_a_payment_at_a_kiosk_cannot_be_refunded(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name, "kiosk")

    with pytest.raises(Rejected) as refusal:
        refund(provider, payment)

    assert refusal.value.code == "refund_not_possible"


@pytest.mark.parametrize(
    ("amount", "how"), [(HUNDRED, GOOD_CARD), (Money(2_500, "EGP"), GOOD_CARD), (HUNDRED, "wallet")]
)
def test_a_refund_whose_answer_was_lost_is_found_by_the_total(
    rig: PaymobRig, provider: PaymobProvider, name: str, amount: Money, how: str
) -> None:
    payment = paid(rig, provider, name, how)
    rig.fail("drop_response", "POST", "/api/acceptance/void_refund/*")
    with pytest.raises(Unknown):
        refund(provider, payment, amount)

    found = search(provider, payment, amount)

    assert isinstance(found, Found)
    assert (found.object.status, found.object.amount, found.object.payment_id) == (
        RefundStatus.SUCCEEDED,
        amount,
        payment.id,
    )
    assert provider.read_refund(found.object.id).status is RefundStatus.SUCCEEDED
    assert refunds_of(rig, payment) == 1


def test_a_part_whose_request_was_lost_may_still_arrive(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment, part = paid(rig, provider, name, "wallet"), Money(2_500, "EGP")
    rig.fail("drop_request", "POST", "/api/acceptance/void_refund/*")
    with pytest.raises(Unknown):
        refund(provider, payment, part)

    answer = search(provider, payment, part)
    assert isinstance(answer, CannotTell)
    assert answer.code == "refund_not_seen"

    # Staff makes it in the dashboard: then the total proves it.
    rig.sandbox.refund(int(payment.collection_id), 2_500)
    assert isinstance(search(provider, payment, part), Found)


def test_all_that_is_left_can_be_sent_again_since_it_cannot_be_refunded_twice(
    rig: PaymobRig, provider: PaymobProvider, name: str
) -> None:
    payment = paid(rig, provider, name, "wallet")
    rig.fail("drop_request", "POST", "/api/acceptance/void_refund/*")
    with pytest.raises(Unknown):
        refund(provider, payment)
    assert search(provider, payment) == ABSENT

    refund(provider, payment)
    with pytest.raises(Rejected):
        refund(provider, payment)
    assert refunds_of(rig, payment) == 1


def test_while_a_payment_could_be_voided_nobody_can_tell(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name)
    assert isinstance(search(provider, payment), CannotTell)

    rig.pass_time(2 * 86_400)
    assert search(provider, payment) == ABSENT


def test_another_total_than_expected_proves_nothing(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name, "wallet")
    rig.sandbox.refund(int(payment.collection_id), 700)

    answer = search(provider, payment, Money(2_500, "EGP"))

    assert isinstance(answer, CannotTell)
    assert answer.code == "refund_totals_differ"


def test_two_equal_refunds_are_proven_one_after_the_other(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment, part = paid(rig, provider, name, "wallet"), Money(2_500, "EGP")
    first = refund(provider, payment, part)
    rig.fail("drop_response", "POST", "/api/acceptance/void_refund/*")
    with pytest.raises(Unknown):
        refund(provider, payment, part)

    found = search(provider, payment, part, refunded=part)

    assert isinstance(found, Found)
    assert found.object.id != first.id
    assert search(provider, payment, part, refunded=part + part) != found


def test_a_refund_that_only_the_total_proves_can_be_read(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment, part = paid(rig, provider, name, "wallet"), Money(2_500, "EGP")
    refund(provider, payment, part)
    # A later try to pay hides the refund's own transaction.
    proven = f"{payment.collection_id}+0+2500"

    state = provider.read_refund(proven)

    assert (state.status, state.amount, state.payment_id) == (RefundStatus.SUCCEEDED, part, payment.id)
    with pytest.raises(Unknown):
        provider.read_refund(f"{payment.collection_id}+2500+2500")
    for wrong in ("+1", f"{payment.collection_id}+x+1", payment.collection_id, "x"):
        with pytest.raises(Rejected):
            provider.read_refund(wrong)


def test_a_refund_that_the_bank_declines_is_refused(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = create(provider, name)
    assert payment.continuation is not None
    secret = payment.continuation.token.rpartition("clientSecret=")[2]
    rig.sandbox.control("POST", f"intentions/{secret}/pay", {"card": "4000000000005126"})
    state = provider.read_payment(payment.id)

    with pytest.raises(Rejected) as refusal:
        refund(provider, state, Money(2_500, "EGP"))

    assert refusal.value.code == "DECLINED"
    assert provider.read_payment(payment.id).refunded == NOTHING
