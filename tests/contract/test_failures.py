"""Network failures and expired idempotency keys: there is never more than one effect."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    Collects,
    Found,
    HoldsAccounts,
    PaysOut,
    Rejected,
    ReportsMoney,
    Transfers,
    Unavailable,
    Unknown,
)
from tests.contract.conftest import HUNDRED, LONG_AGO, People
from tests.contract.rigs import AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(Collects, HoldsAccounts, Transfers, PaysOut, ReportsMoney)

Call = Callable[[AnyProvider, str], Any]


@pytest.fixture(params=["payment", "transfer", "refund", "payout", "account", "customer"])
def call(request: pytest.FixtureRequest, people: People, rig: Rig) -> tuple[Call, str]:
    """A call that moves something, given a provider and a name for reference and key; and the kind that it makes."""
    ten = Money(1_000, "USD")
    if request.param == "payment":
        return lambda provider, name: provider.create_payment(
            reference=name, amount=HUNDRED, customer_id="", description="", key=name
        ), "payment_intent"
    if request.param == "account":
        return lambda provider, name: provider.create_account(
            reference=name, email="", country="US", currency="USD", key=name
        ), "account"
    if request.param == "customer":
        return lambda provider, name: provider.create_customer(reference=name, email="", name="", key=name), "customer"
    payment, account = people.paid(), people.freelancer()
    if request.param == "transfer":
        return lambda provider, name: provider.create_transfer(
            reference=name, amount=ten, account_id=account.id, collection_id=payment.collection_id, key=name
        ), "transfer"
    rig.settle()
    if request.param == "refund":
        return lambda provider, name: provider.create_refund(
            reference=name, payment_id=payment.id, amount=ten, key=name
        ), "refund"
    # No more than is left of the payment after the provider's fee, since other tests leave nothing to rely on.
    people.provider.create_transfer(
        reference="funds",
        amount=Money(8_500, "USD"),
        account_id=account.id,
        collection_id=payment.collection_id,
        key=f"f:{account.id}",
    )
    rig.settle()
    return lambda provider, name: provider.create_payout(
        reference=name, account_id=account.id, amount=ten, key=name
    ), "payout"


def test_a_lost_answer_is_unknown_and_the_same_key_brings_it(rig: Rig, name: str, call: tuple[Call, str]) -> None:
    make, kind = call
    before = rig.count(kind)
    rig.fail("drop_response", "POST")

    with pytest.raises(Unknown) as error:
        make(rig.provider, name)
    assert not error.value.replayed
    assert rig.count(kind) == before + 1, "the effect was there although the answer was lost"

    made = make(rig.provider, name)
    assert made
    assert rig.count(kind) == before + 1


def test_a_lost_request_is_unknown_and_the_same_key_does_it(rig: Rig, name: str, call: tuple[Call, str]) -> None:
    make, kind = call
    before = rig.count(kind)
    rig.fail("drop_request", "POST")

    with pytest.raises(Unknown):
        make(rig.provider, name)
    assert rig.count(kind) == before

    make(rig.provider, name)
    assert rig.count(kind) == before + 1


def test_a_late_answer_is_unknown_and_the_same_key_brings_it(rig: Rig, name: str, call: tuple[Call, str]) -> None:
    make, kind = call
    before = rig.count(kind)
    rig.fail("delay", "POST", seconds=1.0)

    with pytest.raises(Unknown):
        make(rig.impatient(), name)

    assert until_free(lambda: make(rig.provider, name))
    assert rig.count(kind) == before + 1


def until_free(call: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Call as long as the provider says that the key is in use; any other refusal ends the test."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return call()
        except Unavailable as error:
            if error.code != "idempotency_key_in_use":
                raise
    raise AssertionError("the first request never ended")


def test_a_500_after_the_effect_is_repeated_to_its_key(rig: Rig, name: str, call: tuple[Call, str]) -> None:
    make, kind = call
    before = rig.count(kind)
    rig.fail("error_after", "POST")

    with pytest.raises(Unknown) as first:
        make(rig.provider, name)
    with pytest.raises(Unknown) as second:
        make(rig.provider, name)

    assert (first.value.replayed, second.value.replayed) == (False, True)
    assert rig.count(kind) == before + 1


def test_a_rate_limit_had_no_effect_and_spends_no_key(rig: Rig, name: str, call: tuple[Call, str]) -> None:
    make, kind = call
    before = rig.count(kind)
    rig.fail("rate_limit", "POST")

    with pytest.raises(Unavailable) as error:
        make(rig.provider, name)
    assert (error.value.code, error.value.key_spent) == ("rate_limited", False)
    assert error.value.retry_after is not None
    assert error.value.retry_after > timedelta(0)
    assert rig.count(kind) == before

    make(rig.provider, name)
    assert rig.count(kind) == before + 1


def test_after_the_keys_lifetime_the_object_is_found_instead_of_made_again(rig: Rig, people: People, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    rig.fail("drop_response", "POST")
    with pytest.raises(Unknown):
        rig.provider.create_transfer(
            reference=name, amount=HUNDRED, account_id=account.id, collection_id=payment.collection_id, key=name
        )

    rig.pass_time(25 * 3_600)

    found = rig.provider.find_transfer(reference=name, account_id=account.id, since=LONG_AGO)
    assert isinstance(found, Found)
    assert (found.object.amount, found.object.account_id) == (HUNDRED, account.id)


def test_the_key_is_kept_at_least_for_its_lifetime(rig: Rig, name: str) -> None:
    first = rig.provider.create_customer(reference=name, email="", name="", key=name)

    key_lifetime = rig.provider.capabilities.key_lifetime
    assert key_lifetime is not None
    rig.pass_time(key_lifetime.total_seconds() - 60)

    assert rig.provider.create_customer(reference=name, email="", name="", key=name) == first


def test_a_key_used_for_another_amount_is_never_final(rig: Rig, name: str) -> None:
    rig.provider.create_payment(reference=name, amount=HUNDRED, customer_id="", description="", key=name)

    with pytest.raises(Unknown) as error:
        rig.provider.create_payment(
            reference=name, amount=Money(9_999, "USD"), customer_id="", description="", key=name
        )
    assert error.value.replayed


def test_a_failed_read_can_simply_be_repeated(rig: Rig, people: People) -> None:
    payment = people.payment()
    for kind in ("drop_request", "drop_response", "rate_limit"):
        rig.fail(kind, "GET")
        with pytest.raises((Unknown, Unavailable)):
            rig.provider.read_payment(payment.id)

    assert rig.provider.read_payment(payment.id) == payment


def test_a_search_goes_through_every_page(rig: Rig, people: People, name: str) -> None:
    customer = people.customer()
    made = rig.provider.create_payment(reference=name, amount=HUNDRED, customer_id=customer, description="", key=name)
    for number in range(101):
        other = f"{name}:{number}"
        rig.provider.create_payment(reference=other, amount=HUNDRED, customer_id=customer, description="", key=other)

    assert rig.provider.find_payment(reference=name, customer_id=customer) == Found(made)


def test_a_refused_call_did_nothing(rig: Rig, name: str) -> None:
    before = rig.count("payment_intent")

    with pytest.raises(Rejected):
        rig.provider.create_payment(reference=name, amount=HUNDRED, customer_id="cus_none", description="", key=name)

    assert rig.count("payment_intent") == before
