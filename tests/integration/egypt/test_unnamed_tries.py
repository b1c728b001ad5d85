"""Orders that are paid by an earlier try than their last, where Paymob does not list the tries of an order.

The try is found by the events about it, or named by finance.
"""

import pytest

from multitask.payments.errors import Forbidden, ProviderRefused, WrongState
from multitask.payments.funding import unfunded, unnamed_tries
from multitask.payments.models import AuditEvent, Operation
from multitask.web.backoffice import work_items
from multitask.webhooks import dispatch, polling
from multitask.webhooks.models import EventState, IncomingEvent
from tests.egypt_world import COLLECTED, EgyptWorld, pounds
from tests.payments_world import Job, held


def paid_by_first(world: EgyptWorld) -> tuple[Job, str, str]:
    """An order whose first try succeeded after its second was declined; return their transactions.

    No call lists the tries of an order.
    """
    world.paymob.add_fault("error_before", method="GET", path="/api/ecommerce/orders/*")
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    order = str(job.payment.provider_payment_id)

    def tried(**given: object) -> str:
        return str(world.paymob.control("POST", f"intentions/{order}/pay", given)["transaction"]["id"])

    first = tried(card="5123456789012346", passed=None)
    second = tried(card="4000000000000002")
    world.paymob.control("POST", f"transactions/{first}", {"passed": True})
    return job, first, second


def poll(world: EgyptWorld) -> None:
    world.wait(minutes=1)
    polling.refresh_open(now=world.now)


def received(world: EgyptWorld, object_id: str) -> None:
    """An event that was processed when its try had not paid yet."""
    IncomingEvent.objects.create(
        provider="paymob",
        event_id=f"transaction:{object_id}",
        kind="transaction.pending",
        subject="payment",
        object_id=object_id,
        payload="{}",
        state=EventState.PROCESSED,
        received_at=world.now,
        waiting_since=world.now,
        next_attempt_at=world.now,
    )


def test_an_event_about_the_try_names_it(world: EgyptWorld) -> None:
    job, first, second = paid_by_first(world)
    order = job.payment.provider_payment_id
    received(world, f"{order}/{first}")
    received(world, f"{order}/{second}")

    poll(world)

    assert (job.escrow.state, held(COLLECTED, "EGP")) == ("funded", -100_000)
    assert job.payment.provider_collection_id == first


def test_without_one_it_stands_before_finance_who_names_it(world: EgyptWorld) -> None:
    job, first, _ = paid_by_first(world)
    for _ in range(2):
        poll(world)
        assert list(unnamed_tries.found()) == [job.payment]
        assert work_items.counts(world.now) == {"unnamed_tries": 1}

    finance = world.staff("finance")
    payment = unnamed_tries.name_try(
        actor=finance, payment_id=job.payment.pk, transaction_id=f" {first} ", note="In the dashboard.", now=world.now
    )

    assert (payment.state, payment.provider_collection_id, job.escrow.state) == ("succeeded", first, "funded")
    assert held(COLLECTED, "EGP") == -100_000
    assert not unnamed_tries.found().exists()
    event = AuditEvent.objects.get(event="payment_try_named")
    assert (event.actor_id, event.note) == (finance.user_id, "In the dashboard.")
    with pytest.raises(WrongState):
        unnamed_tries.name_try(
            actor=finance, payment_id=job.payment.pk, transaction_id=first, note="Again.", now=world.now
        )


def test_a_transaction_that_did_not_pay_the_order_is_refused(world: EgyptWorld) -> None:
    job, first, second = paid_by_first(world)
    other = world.funded()
    poll(world)
    finance = world.staff("finance")

    def named(transaction_id: str, note: str = "Seen.") -> None:
        unnamed_tries.name_try(
            actor=finance, payment_id=job.payment.pk, transaction_id=transaction_id, note=note, now=world.now
        )

    for wrong in (second, other.payment.provider_collection_id, "99999999", "", "x/../y"):
        with pytest.raises((WrongState, ProviderRefused)):
            named(wrong)
    with pytest.raises(WrongState):
        named(first, note=" ")
    with pytest.raises(Forbidden):
        unnamed_tries.name_try(
            actor=world.staff("support"), payment_id=job.payment.pk, transaction_id=first, note="No.", now=world.now
        )
    assert (job.escrow.state, job.payment.state) == ("pending_payment", "pending")
    assert list(unnamed_tries.found()) == [job.payment]


def test_a_callback_that_comes_late_takes_it_from_the_queue(world: EgyptWorld) -> None:
    job, first, _ = paid_by_first(world)
    poll(world)
    assert unnamed_tries.found().exists()

    named = f"{job.payment.provider_payment_id}/{first}"
    dispatch.refresh(IncomingEvent(provider="paymob", subject="payment", object_id=named), now=world.now)

    assert job.escrow.state == "funded"
    assert not unnamed_tries.found().exists()


def test_it_is_not_cancelled_meanwhile(world: EgyptWorld) -> None:
    job, _, _ = paid_by_first(world)
    poll(world)
    world.wait(days=30)
    for escrow_id in unfunded.due(now=world.now):
        unfunded.close(escrow_id=escrow_id, now=world.now)

    assert not Operation.objects.filter(kind="cancel_payment").exists()
    assert (job.escrow.state, job.payment.state) == ("pending_payment", "pending")
