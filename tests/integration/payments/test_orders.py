"""Provider states and events in every order, repeated and outdated, lead to the same result."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest

from multitask.payments.escrow import refund_outcomes
from multitask.payments.funding import payment_results
from multitask.payments.losses import chargebacks
from multitask.payments.models import Chargeback, Operation, Withdrawal
from multitask.payments.payouts import onboarding, withdrawal_outcomes
from multitask.webhooks.models import IncomingEvent
from tests.payments_world import DECLINED, Job, World, dollars, held

FOUR = [*permutations(range(4))]
THREE = [*permutations(range(3))]


@dataclass
class Snapshots:
    """Successive states of an object at the provider, as slow jobs may have read them."""

    seen: list[Any]
    confirm: Callable[[str, Any, Any], object]

    def apply(self, world: World, order: tuple[int, ...]) -> None:
        """Apply the states in this order, each twice."""
        for place in order:
            self.confirm("stripe", self.seen[place], world.now)
            self.confirm("stripe", self.seen[place], world.now)


def payment_snapshots(world: World) -> tuple[Job, Snapshots]:
    """Created, declined, declined again and succeeded."""
    job = world.hired()
    world.ask_to_pay(job)
    payment_id = str(job.payment.provider_payment_id)
    seen = [world.provider.read_payment(payment_id)]
    for card in (DECLINED, "4000000000009995"):
        world.pay(job, card)
        seen.append(world.provider.read_payment(payment_id))
    world.pay(job)
    seen.append(world.provider.read_payment(payment_id))
    return job, Snapshots(seen, payment_results.confirm)


@pytest.mark.parametrize("order", FOUR, ids=str)
def test_a_payment_ends_in_escrow_in_every_order(world: World, order: tuple[int, ...]) -> None:
    job, snapshots = payment_snapshots(world)
    snapshots.apply(world, order)
    assert (job.escrow.state, job.payment.state) == ("funded", "succeeded")
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert held("platform:processing_costs") == -320
    assert job.history().count("funded") == 1
    assert job.payment.provider_status == "succeeded"


def failed_payout_snapshots(world: World) -> tuple[Job, Withdrawal, Snapshots]:
    """On its way, paid twice, and failed."""
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("85.00"))
    account = str(world.account(job.freelancer).provider_account_id)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")

    def read() -> Any:
        return world.provider.read_payout(account_id=account, payout_id=made["id"])

    seen = [read()]
    world.sandbox.control("POST", f"payouts/{made['id']}/settle")
    seen += [read(), read()]
    world.sandbox.control("POST", f"payouts/{made['id']}/fail", {"code": "account_closed"})
    seen.append(read())
    return job, withdrawal, Snapshots(seen, withdrawal_outcomes.confirm)


@pytest.mark.parametrize("order", FOUR, ids=str)
def test_a_payout_that_failed_after_all_stays_failed(world: World, order: tuple[int, ...]) -> None:
    job, withdrawal, snapshots = failed_payout_snapshots(world)
    snapshots.apply(world, order)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.failure_code) == ("failed", "account_closed")
    assert held(f"user:{job.freelancer.user_id}:available") == 8_500
    assert held(f"provider:stripe:account:{withdrawal.account_id}") == -8_500


@pytest.mark.parametrize("order", THREE, ids=str)
def test_a_payout_that_was_paid_is_paid(world: World, order: tuple[int, ...]) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    account, payout = str(withdrawal.account.provider_account_id), str(withdrawal.provider_payout_id)
    seen = [world.provider.read_payout(account_id=account, payout_id=payout)] * 2
    world.sandbox.control("POST", f"payouts/{payout}/settle")
    seen.append(world.provider.read_payout(account_id=account, payout_id=payout))
    Snapshots(seen, withdrawal_outcomes.confirm).apply(world, order)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    assert held(f"provider:stripe:account:{withdrawal.account_id}") == 0


@pytest.mark.parametrize("order", THREE, ids=str)
def test_a_refund_that_failed_after_all_stays_failed(world: World, order: tuple[int, ...]) -> None:
    job = world.funded(card="4000000000007726")
    refund = world.refund(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/refunds", count=1)
    world.work()
    (made,) = world.made("refund", f"create_refund:{refund.pk}:1")
    seen = [world.provider.read_refund(made["id"])]
    world.sandbox.advance(2, wait=False)
    seen.append(world.provider.read_refund(made["id"]))
    world.sandbox.control("POST", f"refunds/{made['id']}/fail", {"reason": "declined"})
    seen.append(world.provider.read_refund(made["id"]))
    assert [state.status.value for state in seen] == ["pending", "succeeded", "failed"]
    Snapshots(seen, refund_outcomes.confirm).apply(world, order)
    assert (job.refund.state, job.escrow.state) == ("failed", "funded")
    assert held(f"escrow:{job.escrow.pk}") == 10_000


@pytest.mark.parametrize("order", THREE, ids=str)
def test_a_chargeback_that_was_won_is_thawed(world: World, order: tuple[int, ...]) -> None:
    job = world.completed()
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id, "inquiry": True})
    seen = [world.provider.read_dispute(made["id"])]
    world.sandbox.control("POST", f"disputes/{made['id']}", {"outcome": "escalated"})
    seen.append(world.provider.read_dispute(made["id"]))
    world.sandbox.control("POST", f"disputes/{made['id']}", {"outcome": "won"})
    seen.append(world.provider.read_dispute(made["id"]))
    Snapshots(seen, chargebacks.confirm).apply(world, order)
    assert (Chargeback.objects.get().status, job.escrow.frozen_at) == ("won", None)


# -- the same by webhooks


def deliver_in_order(world: World, events: list[dict[str, Any]], order: tuple[int, ...]) -> None:
    """Deliver the events in this order, each twice, and run all jobs."""
    for place in order:
        assert not world.receive(events[place]).is_duplicate
        assert world.receive(events[place]).is_duplicate
        world.work()
    for _ in range(3):
        world.wait(minutes=1)
        world.work()
    assert set(IncomingEvent.objects.values_list("state", flat=True)) <= {"processed", "ignored"}


def only(events: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] in kinds]


def payment_and_refund(world: World) -> tuple[Job, Operation, list[dict[str, Any]]]:
    """A payment whose state is applied, a refund whose response was lost, and the events of both."""
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    events = only(world.events(), "payment_intent.created", "charge.succeeded", "payment_intent.succeeded")
    world.learn_of_payment(job)
    world.refund(job, amount=dollars("40.00"))
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/refunds", count=1)
    operation = Operation.objects.get(kind="create_refund")
    world.work()
    assert Operation.objects.get(pk=operation.pk).state == "unknown"
    events += only(world.events(), "refund.created")
    assert len(events) == 4
    return job, operation, events


@pytest.mark.parametrize("order", FOUR, ids=str)
def test_events_of_a_payment_and_its_refund_in_any_order(world: World, order: tuple[int, ...]) -> None:
    job, operation, events = payment_and_refund(world)
    deliver_in_order(world, events, order)
    assert (job.escrow.state, job.escrow.refunded_minor) == ("funded", 4_000)
    assert held(f"escrow:{job.escrow.pk}") == 6_000
    assert Operation.objects.get(pk=operation.pk).state == "succeeded"


def stopped_for_a_while(world: World) -> tuple[Job, list[dict[str, Any]]]:
    """A release to an account that was filled in, stopped and opened again since, and the events of that."""
    freelancer = world.freelancer(onboarded=False)
    job = world.released(freelancer=freelancer)
    account = world.create_account(freelancer)
    world.fill_in(freelancer)
    stopped = f"accounts/{account.provider_account_id}"
    world.sandbox.control("POST", stopped, {"disabled_reason": "under_review"})
    world.sandbox.control("POST", stopped, {"disabled_reason": None})
    events = only(world.events(), "account.updated", "capability.updated")[-4:]
    assert len(events) == 4
    return job, events


@pytest.mark.parametrize("order", FOUR, ids=str)
def test_events_of_an_account_in_any_order_end_in_what_is_true(world: World, order: tuple[int, ...]) -> None:
    job, events = stopped_for_a_while(world)
    deliver_in_order(world, events, order)
    account = world.account(job.freelancer)
    assert account.onboarding_completed
    assert job.transfer.state == "succeeded"
    assert held(f"provider:stripe:account:{account.pk}") == -8_500


@pytest.mark.parametrize("order", THREE, ids=str)
def test_an_account_that_ends_disabled_is_disabled(world: World, order: tuple[int, ...]) -> None:
    freelancer = world.freelancer(onboarded=False)
    account = world.create_account(freelancer)
    world.fill_in(freelancer)
    world.sandbox.control("POST", f"accounts/{account.provider_account_id}", {"disabled_reason": "rejected.fraud"})
    events = only(world.events(), "account.updated", "capability.updated")[-3:]
    deliver_in_order(world, events, order)
    account = world.account(freelancer)
    assert (account.onboarding_completed, account.disabled_reason) == (False, "rejected.fraud")
    states = onboarding.account_of(account.user_id)
    assert states is not None
    assert not states.can_receive


@pytest.mark.parametrize("order", THREE, ids=str)
def test_events_of_a_payout_in_any_order(world: World, order: tuple[int, ...]) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    events = only(world.events(), "payout.created", "payout.updated", "payout.paid")[:3]
    assert len(events) == 3
    deliver_in_order(world, events, order)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    assert held(f"user:{job.freelancer.user_id}:withdrawing") == 0


@pytest.mark.parametrize("order", THREE, ids=str)
def test_events_of_a_chargeback_in_any_order(world: World, order: tuple[int, ...]) -> None:
    job = world.completed()
    world.events()
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
    world.sandbox.control("POST", f"disputes/{made['id']}", {"outcome": "lost"})
    events = [event for event in world.events() if event["type"].startswith("charge.dispute.")][:3]
    assert len(events) == 3
    deliver_in_order(world, events, order)
    assert Chargeback.objects.get().status == "lost"
    assert job.escrow.frozen_at is not None
    assert job.history().count("frozen") == 1
