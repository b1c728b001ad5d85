"""Paymob over the wire: what is its own about payments."""

from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.operations import send_deadline
from multitask.payments.provider import ABSENT, Found, Payer, PaymentStatus, Rejected, Unavailable, Unknown
from multitask.providers import circuit_breaker
from multitask.providers.paymob.adapter import PaymobProvider
from tests.contract.paymob_rig import PaymobRig
from tests.contract.rigs import CHALLENGED_CARD, DECLINED_CARD, GOOD_CARD
from tests.integration.providers.paymob_payments import create, paid, pay, refund

# -- creation


@pytest.mark.parametrize("kind", ["drop_response", "error_after"])
def test_a_payment_whose_creation_was_not_answered_is_created_anew_under_the_next_key(
    rig: PaymobRig, provider: PaymobProvider, name: str, kind: str
) -> None:
    rig.fail(kind, "POST", "/v1/intention/")
    with pytest.raises(Unknown):
        create(provider, name)
    assert provider.find_payment(reference=name, customer_id="") == ABSENT, "nobody has seen its page"

    with pytest.raises(Unavailable) as refusal:
        create(provider, name)
    assert refusal.value.key_spent

    second = create(provider, name, generation=2)
    pay(rig, second)
    found = provider.find_payment(reference=name, customer_id="")
    assert isinstance(found, Found)
    assert (found.object.id, found.object.reference) == (second.id, name)


def test_the_page_is_paymobs_with_both_keys_and_lasts_as_long_as_configured(rig: PaymobRig, name: str) -> None:
    provider = rig.make(checkout_lifetime=timedelta(days=15))
    payment = create(provider, name, payer=Payer(name="Mona Said Ali", email="mona@example.com"))

    assert payment.continuation is not None
    assert payment.continuation == provider.continuation(payment.continuation.token)
    assert payment.continuation.token.startswith(f"{rig.sandbox.base_url}/unifiedcheckout/?publicKey=egy_pk_test_")
    (intention,) = [
        each["object"]
        for each in rig.sandbox.objects("intention")
        if each["object"]["special_reference"] == f"{name}:1"
    ]
    assert str(intention["intention_order_id"]) == payment.id
    rig.pass_time(16 * 86_400)
    with pytest.raises(Exception, match="expired"):
        pay(rig, payment)


def test_wrong_keys_and_integrations_are_for_the_operator_to_mend(rig: PaymobRig, name: str) -> None:
    for changes in ({"secret_key": "egy_sk_test_invalid"}, {"integration_ids": (999,)}):
        with pytest.raises(Unavailable) as refusal:
            create(rig.make(**changes), name)
        assert (refusal.value.code, refusal.value.key_spent) == ("provider_misconfigured", False)
    with pytest.raises(Unavailable) as refusal:
        rig.make(api_key="invalid").read_payment("1")
    assert refusal.value.code == "provider_misconfigured"


# -- reading


def test_a_declined_try_that_began_later_does_not_hide_what_a_callback_says_was_paid(
    rig: PaymobRig, provider: PaymobProvider, name: str
) -> None:
    payment = create(provider, name)
    first = pay(rig, payment, CHALLENGED_CARD)
    pay(rig, payment, DECLINED_CARD)
    rig.sandbox.control("POST", f"transactions/{first['id']}", {"passed": True})

    named = provider.read_payment(f"{payment.id}/{first['id']}")

    assert (named.id, named.status, named.collection_id) == (payment.id, PaymentStatus.SUCCEEDED, str(first["id"]))


def test_a_callback_about_another_order_reads_nothing(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment, other = create(provider, name), create(provider, f"{name}0")
    transaction = pay(rig, payment)

    with pytest.raises(Unknown):
        provider.read_payment(f"{other.id}/{transaction['id']}")


def test_a_refund_that_is_the_orders_last_transaction_does_not_hide_the_payment(
    rig: PaymobRig, provider: PaymobProvider, name: str
) -> None:
    payment = paid(rig, provider, name)
    refund(provider, payment, Money(2_500, "EGP"))

    read = provider.read_payment(payment.id)

    assert (read.status, read.collection_id) == (PaymentStatus.SUCCEEDED, payment.collection_id)
    assert (read.received, read.refunded) == (Money(7_500, "EGP"), Money(2_500, "EGP"))


def test_a_payment_that_went_back_in_full_funds_nothing(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name)
    refund(provider, payment)

    assert provider.read_payment(payment.id).status is PaymentStatus.CANCELLED


def test_a_payment_by_an_integration_that_is_not_ours_funds_nothing(rig: PaymobRig, name: str) -> None:
    payment = paid(rig, rig.make(), name)

    with pytest.raises(Unknown, match="unexpected_integration"):
        rig.make(integration_ids=(2002, 2003)).read_payment(payment.id)


def test_a_wallet_and_a_kiosk_collect_as_well(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    by_wallet, at_kiosk = (paid(rig, provider, f"{name}{how[0]}", how) for how in ("wallet", "kiosk"))

    assert (by_wallet.status, by_wallet.is_refundable) == (PaymentStatus.SUCCEEDED, True)
    assert (at_kiosk.status, at_kiosk.is_refundable) == (PaymentStatus.SUCCEEDED, False)


def test_the_day_when_money_counts_is_when_it_was_paid(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = paid(rig, provider, name)

    assert payment.available_at is not None
    assert abs(payment.available_at - rig.now()) < timedelta(seconds=30)


def test_a_token_that_has_ended_is_renewed(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = create(provider, name)
    provider.read_payment(payment.id)
    before = rig.count("auth_token")

    rig.pass_time(3_700)
    provider.read_payment(payment.id)
    provider.read_payment(payment.id)

    assert rig.count("auth_token") == before + 1


# -- cancelling


def test_a_payment_is_cancelled_once_its_page_has_expired(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment, created_by = create(provider, name), rig.now()

    for moment in (created_by, None):
        with pytest.raises(Rejected, match="payment_page_open"):
            provider.cancel_payment(payment_id=payment.id, key="cancel_payment:1:1:1", created_by=moment)

    rig.pass_time(15 * 86_400 + 60)
    cancelled = provider.cancel_payment(payment_id=payment.id, key="cancel_payment:1:2:1", created_by=created_by)
    assert (cancelled.id, cancelled.status) == (payment.id, PaymentStatus.CANCELLED)


@pytest.mark.parametrize("how", [CHALLENGED_CARD, "kiosk unpaid"])
def test_a_payment_that_was_begun_and_left_is_cancelled_once_its_page_has_expired(
    rig: PaymobRig, provider: PaymobProvider, name: str, how: str
) -> None:
    payment, created_by = create(provider, name), rig.now()
    pay(rig, payment, how)

    with pytest.raises(Rejected, match="payment_page_open"):
        provider.cancel_payment(payment_id=payment.id, key="cancel_payment:1:1:1", created_by=created_by)

    rig.pass_time(15 * 86_400 + 60)
    cancelled = provider.cancel_payment(payment_id=payment.id, key="cancel_payment:1:2:1", created_by=created_by)
    assert (cancelled.id, cancelled.status) == (payment.id, PaymentStatus.CANCELLED)


def test_a_payment_that_is_paid_is_not_cancelled(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    payment = create(provider, name)
    pay(rig, payment, GOOD_CARD)

    long_ago = rig.now() - timedelta(days=100)
    with pytest.raises(Rejected, match="payment_unexpected_state"):
        provider.cancel_payment(payment_id=payment.id, key="cancel_payment:1:1:1", created_by=long_ago)


# -- the network


def test_a_connection_that_is_refused_had_no_effect_and_opens_the_breaker(rig: PaymobRig, name: str) -> None:
    provider = rig.make(api_base="http://127.0.0.1:9")

    for _ in range(circuit_breaker.FAILURES_TO_OPEN):
        with pytest.raises(Unavailable) as refusal:
            create(provider, name)
        assert (refusal.value.code, refusal.value.key_spent) == ("not_connected", False)

    with pytest.raises(Unavailable, match="provider_not_answering"):
        create(provider, name)
    with pytest.raises(Unavailable, match="provider_not_answering"):
        provider.require_answering()


def test_a_host_that_does_not_exist_had_no_effect(rig: PaymobRig, name: str) -> None:
    with pytest.raises(Unavailable, match="not_connected"):
        create(rig.make(api_base="http://paymob.invalid"), name)


@pytest.mark.parametrize("kind", ["drop_request", "drop_response", "error_before", "error_after"])
def test_a_call_that_was_sent_and_not_answered_is_unknown(
    rig: PaymobRig, provider: PaymobProvider, name: str, kind: str
) -> None:
    rig.fail(kind, "POST", "/v1/intention/")
    with pytest.raises(Unknown):
        create(provider, name)


def test_an_answer_that_comes_too_late_is_unknown(rig: PaymobRig, name: str) -> None:
    rig.fail("delay", "POST", "/v1/intention/", seconds=1.0)
    with pytest.raises(Unknown):
        create(rig.make(read_timeout_seconds=0.3), name)


def test_a_request_of_a_person_waits_for_less_time_than_a_job(rig: PaymobRig, name: str) -> None:
    provider = rig.make(request_timeout_seconds=0.3)
    rig.fail("delay", "POST", "/v1/intention/", seconds=1.0)
    with circuit_breaker.from_request(), pytest.raises(Unknown):
        create(provider, name)

    rig.fail("delay", "POST", "/v1/intention/", seconds=1.0)
    assert create(provider, f"{name}0").id


def test_a_call_that_is_late_is_not_sent(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    before = rig.count("intention")
    long_ago = send_deadline.moment()
    with send_deadline.within(timedelta(0), since=long_ago), pytest.raises(Unavailable) as refusal:
        create(provider, name)
    assert refusal.value.code == "sent_too_late"
    assert rig.count("intention") == before


def test_too_many_calls_are_refused_without_an_effect(rig: PaymobRig, provider: PaymobProvider, name: str) -> None:
    rig.fail("rate_limit", "POST", "/v1/intention/")
    with pytest.raises(Unavailable) as refusal:
        create(provider, name)
    assert (refusal.value.code, refusal.value.key_spent) == ("rate_limited", False)
    assert create(provider, name).id
