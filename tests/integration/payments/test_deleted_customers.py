"""Customers and cards that were removed at the provider: made anew by the next call, and gone from the lists."""

import pytest

from multitask.payments.errors import NotFound
from multitask.payments.funding import customers, intents, saved_methods
from multitask.payments.models import AuditEvent, Customer, Operation, SavedMethod
from multitask.payments.operations import sweeper
from multitask.payments.provider import CustomerState
from multitask.users.actor import Actor
from tests.integration.races import together
from tests.payments_world import Job, World, user_id
from tests.provider_balances import ProviderBalances

pytestmark = pytest.mark.django_db(transaction=True)


def customer_of(client: Actor) -> Customer:
    return Customer.objects.get(user_id=user_id(client))


def save(world: World, client: Actor) -> SavedMethod:
    method = world.browser.new_method()
    return saved_methods.save(actor=client, method_id=method, make_default=True, now=world.now)


def delete_at_provider(world: World, client: Actor) -> str:
    """Delete a client's customer in the provider's dashboard; return its id."""
    customer_id = str(customer_of(client).provider_customer_id)
    world.delete_at_provider(f"customers/{customer_id}")
    return customer_id


def test_a_deleted_customer_is_forgotten_with_its_cards_by_the_webhook(world: World) -> None:
    client = world.client()
    save(world, client)
    deleted = delete_at_provider(world, client)
    assert "customer.deleted" in world.hear()
    assert customer_of(client).provider_customer_id is None
    assert customer_of(client).default_method_id == ""
    assert not saved_methods.owned(client).exists()
    assert AuditEvent.objects.filter(event="customer_deleted").count() == 1

    save(world, client)
    assert customer_of(client).provider_customer_id not in {None, deleted}
    assert saved_methods.owned(client).count() == 1


def test_the_same_deletion_told_twice_leaves_the_new_customer(world: World) -> None:
    client = world.client()
    save(world, client)
    deleted = delete_at_provider(world, client)
    world.hear()
    save(world, client)
    customers.forget("stripe", deleted, world.now)
    assert saved_methods.owned(client).count() == 1


def test_an_intent_makes_a_deleted_customer_anew(world: World, balances: ProviderBalances) -> None:
    known = world.funded()
    deleted = delete_at_provider(world, known.client)
    job = world.hired(client=known.client)
    world.ask_to_pay(job)
    assert customer_of(known.client).provider_customer_id not in {None, deleted}
    world.pay(job)
    world.learn_of_payment(job)
    assert (job.escrow.state, job.payment.state) == ("funded", "succeeded")
    calls = Operation.objects.filter(kind="create_payment", subject_id=job.payment.pk).order_by("pk")
    assert [(call.state, call.last_error_code) for call in calls] == [("failed", "customer_gone"), ("succeeded", "")]
    balances.require_equal()


def test_two_intents_at_once_make_one_new_customer(world: World) -> None:
    known = world.funded()
    delete_at_provider(world, known.client)
    jobs = [world.hired(client=known.client) for _ in range(2)]
    answers = together([lambda job=job: world.ask_to_pay(job) for job in jobs])
    assert not [answer for answer in answers if isinstance(answer, AssertionError)]
    for job in jobs:
        world.ask_to_pay(job)
        assert job.payment.provider_payment_id
    made = Operation.objects.filter(kind="create_customer", subject_id=customer_of(known.client).pk)
    assert made.count() == 2


def intent_without_outcome(world: World, client: Actor) -> Job:
    """A job whose intent is committed, as by a process that was killed before its call."""
    job = world.hired(client=client)
    intents._prepare(client, job.task.milestones[0].pk, world.now)
    return job


def sweep(world: World) -> None:
    world.wait(minutes=20)
    sweeper.sweep(now=world.now)
    world.work()


def test_a_call_that_is_left_without_a_customer_ends_and_the_client_pays_anew(
    world: World, balances: ProviderBalances
) -> None:
    known = world.funded()
    job = intent_without_outcome(world, known.client)
    delete_at_provider(world, known.client)
    world.hear()
    sweep(world)
    calls = Operation.objects.filter(kind="create_payment", subject_id=job.payment.pk).order_by("pk")
    assert [(call.state, call.last_error_code) for call in calls] == [("failed", "customer_gone")]

    world.ask_to_pay(job)
    world.pay(job)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"
    balances.require_equal()


def test_a_payment_without_an_answer_is_found_after_its_customer_was_replaced(world: World) -> None:
    known = world.funded()
    job = intent_without_outcome(world, known.client)
    customer_id = str(customer_of(known.client).provider_customer_id)
    reference = f"create_payment:{job.payment.pk}:1"
    made = world.provider.create_payment(
        reference=reference, amount=job.escrow.total, customer_id=customer_id, description="", key="one"
    )
    delete_at_provider(world, known.client)
    world.hear()
    save(world, known.client)
    sweep(world)
    assert job.payment.provider_payment_id == made.id
    assert len(world.made("payment_intent", reference)) == 1


def test_a_set_up_makes_a_deleted_customer_anew(world: World) -> None:
    client = world.client()
    save(world, client)
    deleted = delete_at_provider(world, client)
    setup = saved_methods.begin_setup(actor=client, now=world.now, request_key="one")
    assert setup.customer_id not in {"", deleted}
    assert not saved_methods.owned(client).exists()


def test_a_card_is_saved_for_a_new_customer_after_the_old_was_deleted(world: World) -> None:
    client = world.client()
    save(world, client)
    delete_at_provider(world, client)
    saved = save(world, client)
    assert list(saved_methods.owned(client)) == [saved]


def test_choosing_a_card_of_a_deleted_customer_removes_it_from_the_list(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    delete_at_provider(world, client)
    world.wait(seconds=1)
    with pytest.raises(NotFound):
        saved_methods.set_default(actor=client, method_id=saved.pk, now=world.now)
    assert not saved_methods.owned(client).exists()
    assert customer_of(client).provider_customer_id is None


def test_choosing_a_card_that_was_detached_removes_it_from_the_list(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    world.at_provider(f"payment_methods/{saved.provider_method_id}/detach")
    world.wait(seconds=1)
    with pytest.raises(NotFound):
        saved_methods.set_default(actor=client, method_id=saved.pk, now=world.now)
    assert not saved_methods.owned(client).exists()
    assert customer_of(client).default_method_id == ""


def test_a_detached_card_is_no_default_any_more(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    world.at_provider(f"payment_methods/{saved.provider_method_id}/detach")
    world.hear()
    assert not saved_methods.owned(client).exists()
    assert customer_of(client).default_method_id == ""


def test_a_card_that_is_gone_already_is_deleted_here(world: World) -> None:
    client = world.client()
    saved = save(world, client)
    world.at_provider(f"payment_methods/{saved.provider_method_id}/detach")
    saved_methods.delete(actor=client, method_id=saved.pk, now=world.now)
    assert not saved_methods.owned(client).exists()


def test_a_customer_that_lives_is_left_alone(world: World) -> None:
    client = world.client()
    save(world, client)
    customer_id = str(customer_of(client).provider_customer_id)
    customers.confirm("stripe", CustomerState(id=customer_id, is_deleted=False), world.now)
    assert saved_methods.owned(client).count() == 1
