"""Refunds of which the provider's total tells nothing: finance decides, and what was paid twice is explained."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, ReferenceUsed, WrongState
from multitask.payments.escrow import refund_payouts, undecided_refunds
from multitask.payments.models import Approval, AuditEvent, Disbursement, Operation, Refund
from multitask.payments.provider import PayoutStatus
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.egypt_world import COLLECTED, COOL_DOWN, SUCCEEDS, EgyptWorld, pounds
from tests.integration.backoffice.addresses import action, change
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, held

KEY = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def undecided(world: EgyptWorld) -> Job:
    """A refund of unknown outcome, of whose payment somebody refunded another amount in the dashboard."""
    job = world.funded()
    world.refund(job, amount=pounds("300.00"))
    world.paymob.add_fault("drop_request", method="POST", path="*/void_refund/refund", count=1)
    world.work()
    world.paymob.refund(int(job.payment.provider_collection_id), 40_000)
    for _ in range(20):
        world.wait(minutes=20)
        world.work()
    call = Operation.objects.get(kind="create_refund")
    assert (call.hold, call.last_error_code) == ("outcome_unknown", "refund_totals_differ")
    return job


def test_finance_decides_that_it_was_not_made(
    world: EgyptWorld, undecided: Job, finance: Actor, office: Client
) -> None:
    refund = undecided.refund
    assert list(work_queue.undecided_refunds(world.now)) == [refund]
    assert "Refunds of unknown outcome to decide about" in text_of(office.get("/backoffice/"))
    assert "It was certainly not made" in text_of(office.get(change(undecided.escrow)))
    office.post(action("refund-was-not-made", refund.pk), {"request_key": KEY, "note": "Asked Paymob"}, follow=True)

    refund.refresh_from_db()
    assert (refund.state, undecided.escrow.remaining) == ("failed", pounds("1000.00"))
    event = AuditEvent.objects.get(event="refund_found_not_made")
    assert (event.actor_id, event.note) == (finance.user_id, "Asked Paymob")
    assert not work_queue.undecided_refunds(world.now).exists()
    with pytest.raises(WrongState):
        undecided_refunds.was_not_made(actor=finance, refund_id=refund.pk, note="Again", now=world.now)


def test_finance_decides_that_it_was_made(world: EgyptWorld, undecided: Job, office: Client) -> None:
    refund, given = undecided.refund, {"request_key": KEY, "note": "Seen there", "provider_refund_id": "tx-77"}
    office.post(action("refund-was-paid", refund.pk), given, follow=True)
    refund.refresh_from_db()
    assert (refund.state, refund.provider_refund_id) == ("succeeded", "tx-77")
    assert (undecided.escrow.remaining, held(COLLECTED, "EGP")) == (pounds("700.00"), -70_000)
    assert AuditEvent.objects.filter(event="refund_found_paid").count() == 1


def test_a_decision_takes_finance_a_reason_an_id_of_its_own_and_above_the_limit_two(
    world: EgyptWorld, undecided: Job, finance: Actor, settings: Any
) -> None:
    refund = undecided.refund
    for actor in (world.staff("support"), undecided.client):
        with pytest.raises(Forbidden):
            undecided_refunds.was_not_made(actor=actor, refund_id=refund.pk, note="Why", now=world.now)
    with pytest.raises(WrongState):
        undecided_refunds.was_not_made(actor=finance, refund_id=refund.pk, note=" ", now=world.now)
    with pytest.raises(WrongState):
        undecided_refunds.was_paid(
            actor=finance, refund_id=refund.pk, provider_refund_id=" ", note="Why", now=world.now
        )
    other = world.funded()
    world.refund(other, amount=pounds("10.00"))
    world.work()
    taken = str(other.refund.provider_refund_id)
    with pytest.raises(ReferenceUsed):
        undecided_refunds.was_paid(
            actor=finance, refund_id=refund.pk, provider_refund_id=taken, note="Why", now=world.now
        )
    settings.SECOND_PERSON_ABOVE_MINOR = 1
    asked = undecided_refunds.was_not_made(actor=finance, refund_id=refund.pk, note="Asked Paymob", now=world.now)
    assert isinstance(asked, Approval)
    approvals.decide(actor=world.staff("finance"), approval_id=asked.pk, approve=True, now=world.now)
    refund.refresh_from_db()
    assert refund.state == "failed"


@pytest.fixture
def paid_again(world: EgyptWorld) -> Disbursement:
    """A refund of a kiosk payment whose payout was reported as failed, and as paid after that."""
    client = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.fill_budget(pounds("3000.00"))
    world.add_wallet(client, SUCCEEDS)
    world.wait(COOL_DOWN)
    world.refund(job)
    world.allot()
    payout = Disbursement.objects.get()
    paid = world.paymob_provider.read_disbursement(str(payout.provider_payout_id))
    refund_payouts.confirm("paymob", replace(paid, status=PayoutStatus.FAILED, failure_code="000100"), world.now)
    assert job.refund.state == "failed"
    for _ in range(2):
        refund_payouts.confirm("paymob", paid, world.now)
    payout.refresh_from_db()
    return payout


def test_a_refund_that_was_paid_after_it_had_failed_is_explained_before_another_one(
    world: EgyptWorld, paid_again: Disbursement, finance: Actor, office: Client
) -> None:
    assert AuditEvent.objects.filter(event="refund_paid_after_failure").count() == 1
    assert list(work_queue.refunds_paid_after_failure(world.now)) == [paid_again]
    assert "Refunds that were paid after they had failed" in text_of(office.get("/backoffice/"))
    assert "Explain" in text_of(office.get(change(paid_again)))
    failed = Refund.objects.get()
    again = Refund.objects.create(
        escrow=failed.escrow, payment=failed.payment, source="escrow", provider="paymob", amount_minor=100,
        currency="EGP", state="pending", created_at=world.now,
    )  # fmt: skip
    assert refund_payouts.begin(refund_id=again.pk, now=world.now) is None
    Refund.objects.filter(pk=again.pk).update(state="failed")
    again.delete()

    office.post(action("explain-paid", paid_again.pk), {"request_key": KEY, "note": "Asked Paymob"}, follow=True)
    event = AuditEvent.objects.get(event="refund_paid_explained")
    assert (event.actor_id, event.note) == (finance.user_id, "Asked Paymob")
    assert not work_queue.refunds_paid_after_failure(world.now).exists()
