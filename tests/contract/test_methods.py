"""Saved cards."""

import pytest

from multitask.money import Money
from multitask.payments.provider import CUSTOMER_GONE, Rejected, SavesMethods
from tests.contract.conftest import People
from tests.contract.rigs import DECLINED_CARD, AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(SavesMethods)


def test_a_card_is_saved_in_the_browser(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    customer = people.customer()
    setup = provider.create_setup(reference=name, customer_id=customer, key=name)
    assert (setup.customer_id, setup.method_id) == (customer, "")

    rig.save_card(setup.continuation.token)

    done = provider.read_setup(setup.id)
    method = provider.read_method(done.method_id)
    assert done.status == "succeeded"
    assert (method.customer_id, method.kind, method.brand, method.last4) == (customer, "card", "visa", "4242")
    assert (method.expires_month, method.expires_year) == (12, 2040)


def test_the_same_key_begins_one_set_up(people: People, provider: AnyProvider, name: str) -> None:
    customer = people.customer()

    first, second = (provider.create_setup(reference=name, customer_id=customer, key=name) for _ in range(2))

    assert first == second


def test_a_declined_card_is_not_saved(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    setup = provider.create_setup(reference=name, customer_id=people.customer(), key=name)

    rig.save_card(setup.continuation.token, DECLINED_CARD)

    assert provider.read_setup(setup.id).status != "succeeded"


def test_a_card_is_attached_made_default_and_forgotten(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    customer = people.customer()

    kept = provider.attach_method(method_id=rig.new_method(), customer_id=customer, key=f"{name}:attach")
    provider.set_default_method(customer_id=customer, method_id=kept.id, key=f"{name}:default")
    forgotten = provider.detach_method(method_id=kept.id, key=f"{name}:detach")

    assert (kept.customer_id, forgotten.customer_id) == (customer, "")
    assert provider.read_method(kept.id).customer_id == ""


def test_a_card_that_charges_nothing_is_not_attached(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        provider.attach_method(method_id=rig.new_method(DECLINED_CARD), customer_id=people.customer(), key=name)

    assert refusal.value.code == "generic_decline"
    assert refusal.value.message


def test_a_strangers_card_is_no_default(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    kept = provider.attach_method(method_id=rig.new_method(), customer_id=people.customer(), key=name)

    with pytest.raises(Rejected):
        provider.set_default_method(customer_id=people.customer(), method_id=kept.id, key=f"{name}:default")


def test_a_customer_that_is_not_there_is_deleted(people: People, provider: AnyProvider) -> None:
    customer = people.customer()

    assert not provider.read_customer(customer).is_deleted
    assert provider.read_customer("cus_DoesNotExist").is_deleted


@pytest.mark.parametrize("call", ["payment", "set_up", "attach"])
def test_a_call_for_a_customer_that_is_not_there_names_it(
    rig: Rig, provider: AnyProvider, name: str, call: str
) -> None:
    gone = "cus_DoesNotExist"
    calls = {
        "payment": lambda: provider.create_payment(
            reference=name, amount=Money(10_000, "USD"), customer_id=gone, description="", key=name
        ),
        "set_up": lambda: provider.create_setup(reference=name, customer_id=gone, key=name),
        "attach": lambda: provider.attach_method(method_id=rig.new_method(), customer_id=gone, key=name),
    }

    with pytest.raises(Rejected) as refusal:
        calls[call]()

    assert (refusal.value.code, refusal.value.object_id) == (CUSTOMER_GONE, gone)


def test_a_card_that_is_not_there_belongs_to_nobody(provider: AnyProvider) -> None:
    assert provider.read_method("pm_DoesNotExist").customer_id == ""
