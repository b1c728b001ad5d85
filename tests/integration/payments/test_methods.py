"""Saved cards: stored by the provider, listed here without their numbers."""

import pytest

from multitask.payments.errors import Forbidden, NotFound, ProviderRefused, ProviderUnavailable, UnknownObject
from multitask.payments.funding import saved_methods
from multitask.payments.models import AuditEvent, Customer, SavedMethod
from multitask.payments.provider import MethodState
from multitask.users.actor import Actor
from tests.payments_world import DECLINED, World, user_id


def save(world: World, client: Actor, card: str = "4242424242424242", *, make_default: bool = False) -> SavedMethod:
    method = world.browser.new_method(card)
    return saved_methods.save(actor=client, method_id=method, make_default=make_default, now=world.now)


def default_of(client: Actor) -> str:
    return Customer.objects.get(user_id=user_id(client)).default_method_id


def test_a_card_is_saved_by_what_its_owner_recognises(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    assert (saved.kind, saved.brand, saved.last4, saved.expires_year) == ("card", "visa", "4242", 2040)
    assert list(saved_methods.owned(client)) == [saved]
    assert default_of(client) == ""
    assert str(saved) == "visa ending in 4242"
    assert AuditEvent.objects.get(event="method_saved").user_id == client.user_id


def test_a_card_saved_in_the_browser_is_kept(world: World) -> None:
    client = world.client()
    setup = saved_methods.begin_setup(actor=client, now=world.now, request_key="one")
    world.browser.save_card(setup.continuation.token)
    assert "setup_intent.succeeded" in world.hear()
    assert saved_methods.owned(client).get().last4 == "4242"
    assert AuditEvent.objects.filter(event="method_saved").count() == 1


def test_a_setup_asked_for_again_is_the_same(world: World) -> None:
    client = world.client()
    first = saved_methods.begin_setup(actor=client, now=world.now, request_key="one")
    assert saved_methods.begin_setup(actor=client, now=world.now, request_key="one").id == first.id
    assert saved_methods.begin_setup(actor=client, now=world.now, request_key="two").id != first.id


def test_a_setup_that_is_not_finished_keeps_nothing(world: World) -> None:
    client = world.client()
    setup = saved_methods.begin_setup(actor=client, now=world.now, request_key="one")
    saved_methods.confirm_setup("stripe", world.provider.read_setup(setup.id), world.now)
    assert not saved_methods.owned(client).exists()


def test_saving_the_same_card_again_keeps_it_once(world: World) -> None:
    client = world.client()
    first = save(world, client)
    again = saved_methods.save(actor=client, method_id=first.provider_method_id, make_default=False, now=world.now)
    assert again.pk == first.pk
    assert saved_methods.owned(client).count() == 1


def test_a_card_that_was_deleted_is_not_kept_again_on_an_old_answer(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    saved_methods.delete(actor=client, method_id=saved.pk, now=world.now)
    with pytest.raises(ProviderRefused):
        saved_methods.save(actor=client, method_id=saved.provider_method_id, make_default=False, now=world.now)
    assert not saved_methods.owned(client).exists()


def test_one_card_is_the_default(world: World) -> None:
    client = world.client()
    first = save(world, client, make_default=True)
    assert first.customer.default_method_id == first.provider_method_id
    second = save(world, client, "5555555555554444")
    saved_methods.set_default(actor=client, method_id=second.pk, now=world.now)
    assert default_of(client) == second.provider_method_id
    customer = world.sandbox.objects("customer")
    settings = [c["object"]["invoice_settings"]["default_payment_method"] for c in customer]
    assert second.provider_method_id in settings


def test_a_card_that_is_deleted_is_gone_here_and_there(world: World) -> None:
    client = world.client()
    saved = save(world, client, make_default=True)
    saved_methods.delete(actor=client, method_id=saved.pk, now=world.now)
    assert not saved_methods.owned(client).exists()
    assert default_of(client) == ""
    assert world.provider.read_method(saved.provider_method_id).customer_id == ""
    with pytest.raises(NotFound):
        saved_methods.delete(actor=client, method_id=saved.pk, now=world.now)
    assert AuditEvent.objects.filter(event="method_deleted").count() == 1


def test_deleting_another_card_leaves_the_default(world: World) -> None:
    client = world.client()
    kept = save(world, client, make_default=True)
    other = save(world, client, "5555555555554444")
    saved_methods.delete(actor=client, method_id=other.pk, now=world.now)
    assert default_of(client) == kept.provider_method_id


def test_a_card_detached_at_the_provider_is_forgotten_here(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    world.at_provider(f"payment_methods/{saved.provider_method_id}/detach")
    assert "payment_method.detached" in world.hear()
    assert not saved_methods.owned(client).exists()


def test_a_card_attached_at_the_provider_is_kept_here(world: World) -> None:
    client = world.client()
    save(world, client)
    customer = str(Customer.objects.get(user_id=user_id(client)).provider_customer_id)
    method = world.browser.new_method("5555555555554444")
    world.at_provider(f"payment_methods/{method}/attach", customer=customer)
    world.hear()
    assert {m.last4 for m in saved_methods.owned(client)} == {"4242", "4444"}


def test_a_card_of_a_strangers_customer_is_unknown(world: World) -> None:
    with pytest.raises(UnknownObject):
        saved_methods.confirm("stripe", MethodState(id="pm_x", customer_id="cus_x", kind="card"), world.now)
    saved_methods.confirm("stripe", MethodState(id="pm_x", customer_id="", kind="card"), world.now)
    assert not SavedMethod.objects.exists()


def test_only_clients_save_cards(world: World) -> None:
    for actor in (world.freelancer(onboarded=False), world.staff(), Actor.visitor()):
        with pytest.raises(Forbidden):
            saved_methods.begin_setup(actor=actor, now=world.now, request_key="one")
        with pytest.raises(Forbidden):
            saved_methods.save(actor=actor, method_id="pm_card_visa", make_default=False, now=world.now)


def test_nobody_touches_anothers_card(world: World) -> None:
    saved = save(world, world.client())
    for actor in (world.client(), world.staff(), Actor.visitor()):
        with pytest.raises(NotFound):
            saved_methods.delete(actor=actor, method_id=saved.pk, now=world.now)
        with pytest.raises(NotFound):
            saved_methods.set_default(actor=actor, method_id=saved.pk, now=world.now)
        assert not saved_methods.owned(actor).exists()


def test_a_card_that_the_provider_does_not_know_is_refused(world: World) -> None:
    with pytest.raises(ProviderRefused):
        saved_methods.save(actor=world.client(), method_id="pm_nobody", make_default=False, now=world.now)


def test_a_card_that_declines_is_refused(world: World) -> None:
    client = world.client()
    with pytest.raises(ProviderRefused):
        save(world, client, DECLINED)
    assert not saved_methods.owned(client).exists()


def test_a_provider_that_does_not_answer_may_be_asked_again(world: World) -> None:
    client = world.client()
    method = world.browser.new_method()
    world.sandbox.add_fault("drop_response", method="POST", path="*/attach", count=1)
    with pytest.raises(ProviderUnavailable):
        saved_methods.save(actor=client, method_id=method, make_default=False, now=world.now)
    assert saved_methods.save(actor=client, method_id=method, make_default=False, now=world.now).last4 == "4242"
    assert saved_methods.owned(client).count() == 1
