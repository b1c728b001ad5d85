"""After a day an idempotency key may have expired, so each kind of call is searched for before it is sent again."""

from collections.abc import Callable

import pytest

from multitask.payments.authorization import access, locks
from multitask.payments.errors import NotFound, ProviderUnavailable, UnknownObject
from multitask.payments.models import Customer, Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import availability, onboarding
from multitask.payments.provider import AccountState
from multitask.providers import circuit_breaker
from multitask.users.actor import Actor
from tests.payments_world import World, dollars, held, user_id

Begin = Callable[[World], None]


def begin_account(world: World) -> None:
    with pytest.raises(ProviderUnavailable):
        world.create_account(world.freelancer(onboarded=False))


def begin_payment(world: World) -> None:
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(world.hired())


def begin_transfer(world: World) -> None:
    world.release(world.completed())
    world.work()


def begin_refund(world: World) -> None:
    world.refund(world.funded())
    world.work()


def begin_payout(world: World) -> None:
    world.withdraw(world.settled().freelancer, dollars("85.00"))
    world.work()


KINDS = [
    ("create_account", "account", "/v1/accounts", begin_account),
    ("create_customer", "customer", "/v1/customers", begin_payment),
    ("create_payment", "payment_intent", "/v1/payment_intents", begin_payment),
    ("create_transfer", "transfer", "/v1/transfers", begin_transfer),
    ("create_refund", "refund", "/v1/refunds", begin_refund),
    ("create_payout", "payout", "/v1/payouts", begin_payout),
]


@pytest.mark.parametrize(("kind", "thing", "path", "begin"), KINDS, ids=[kind for kind, *_ in KINDS])
@pytest.mark.parametrize("fault", ["drop_response", "drop_request"])
def test_a_call_unanswered_for_a_day_has_one_effect(
    world: World, kind: str, thing: str, path: str, begin: Begin, fault: str
) -> None:
    world.sandbox.add_fault(fault, method="POST", path=path, count=1)
    begin(world)
    operation = Operation.objects.get(kind=kind, state="unknown")
    happened = fault == "drop_response"
    assert len(world.made(thing, operation.reference)) == int(happened)

    world.wait(days=1)
    done = engine.perform(operation.pk, now=world.now)
    assert done.state == "succeeded"
    assert done.generation == 1
    assert len(world.made(thing, operation.reference)) == 1


def test_an_account_that_nobody_here_made_is_unknown(world: World) -> None:
    world.create_account(world.freelancer(onboarded=False))
    for reference in ("", "create_account:1:1", "create_payment:1:1"):
        state = AccountState(
            id="acct_x", country="US", currency="USD", charges_enabled=True, payouts_enabled=True,
            transfers_enabled=True, details_submitted=True, reference=reference,
        )  # fmt: skip
        with pytest.raises(UnknownObject):
            onboarding.confirm("stripe", state, world.now)


def test_several_shares_that_wait_for_one_account_settle_together(world: World) -> None:
    freelancer = world.freelancer()
    for _ in range(2):
        world.released(freelancer=freelancer)
    world.work()
    world.wait(days=3)
    availability.account_balance_changed("stripe", str(world.account(freelancer).provider_account_id), world.now)
    world.work()
    assert held(f"user:{user_id(freelancer)}:available") == 17_000


def test_each_sees_his_own_escrows_refunds_and_withdrawals(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("10.00"))
    other = world.funded()
    refund = world.refund(other)
    assert access.escrow(job.client, job.escrow.public_id).pk == job.escrow.pk
    assert access.escrow(world.staff("support"), job.escrow.pk).pk == job.escrow.pk
    assert access.refund(other.client, refund.public_id).pk == refund.pk
    assert list(access.visible_withdrawals(job.freelancer)) == [withdrawal]
    for stranger in (other.client, world.client(), Actor.visitor()):
        assert not access.visible_withdrawals(stranger).exists()
        with pytest.raises(NotFound):
            access.escrow(stranger, job.escrow.pk)
    with pytest.raises(NotFound):
        access.refund(job.client, refund.pk)
    with pytest.raises(NotFound):
        locks.lock_by_id(4_000_000_000)


def test_a_client_whose_customer_met_a_500_is_served_when_asking_again(world: World) -> None:
    """The provider repeats the 500 to its key, so the customer is looked for and made under another key."""
    world.sandbox.add_fault("error_before", method="POST", path="/v1/customers", count=1)
    job = world.hired()
    for _ in range(2):
        with circuit_breaker.from_request(), pytest.raises(ProviderUnavailable):
            world.ask_to_pay(job)
        world.wait(minutes=1)
    with circuit_breaker.from_request():
        assert world.ask_to_pay(job).payment.provider_payment_id
    customer = Customer.objects.get(user_id=user_id(job.client))
    assert len(world.made("customer", f"create_customer:{customer.pk}:1")) == 1
