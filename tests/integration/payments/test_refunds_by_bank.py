"""Failed refunds that no card takes: paid from the platform's own bank, by two people, once."""

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, FourEyes, WrongState
from multitask.payments.escrow import refunds, refunds_by_bank
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Approval, HistoryRow, Refund
from multitask.payments.reads import where
from multitask.users.actor import Actor
from tests.integration.payments.losing import the_books_equal_the_providers
from tests.integration.payments.test_chart_of_accounts import refund_to_retry
from tests.integration.payments.test_unapplied_payments import second_payment
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]
NOTE = "Bank transfer 77 of today"


def record(world: World, job: Job, actor: Actor | None = None, **more: str) -> Approval:
    given = {"note": NOTE} | more
    return refunds_by_bank.record(actor=actor or world.staff(), refund_id=job.refund.pk, now=world.now, **given)


def decide(world: World, asked: Approval, *, approve: bool = True) -> None:
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=approve, now=world.now)


def test_the_platform_pays_what_no_card_takes(world: World) -> None:
    job = refund_to_retry(world)
    failed = job.refund
    assert held(f"refund:{failed.pk}") == 4_000
    decide(world, record(world, job))
    paid = job.refund
    assert (paid.state, paid.is_by_bank, paid.source, paid.amount) == ("succeeded", True, "escrow", dollars("40.00"))
    assert (held(f"refund:{failed.pk}"), held(f"refund:{paid.pk}"), held("platform:bank")) == (0, 0, 4_000)
    assert (job.escrow.state, job.escrow.refunded_minor) == ("released", 4_000)
    assert HistoryRow.objects.get(refund=paid).status == "completed"
    assert world.wallet(job.client).lifetime_spent == dollars("60.00")
    places = {row.place.value: row.amount for row in where.of_escrow(job.client, job.escrow, world.now)}
    assert (places["refunded"], "refunding" in places) == (dollars("40.00"), False)
    assert "refund_paid_by_bank" in job.history()


def unapplied_refund_that_failed(world: World) -> Job:
    """A second payment of one escrow, whose refund the card does not take."""
    job = world.funded()
    second_payment(world, job)
    world.hear()
    world.work()
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    return job


def test_a_payment_that_fits_no_escrow_and_that_no_card_takes_back_is_paid_by_bank(world: World) -> None:
    job = unapplied_refund_that_failed(world)
    payment = job.refund.payment
    assert (payment.state, held(f"unapplied:{payment.pk}")) == ("review", 10_000)
    decide(world, record(world, job))
    payment.refresh_from_db()
    assert (payment.state, held(f"unapplied:{payment.pk}"), held("platform:bank")) == ("returned", 0, 10_000)
    assert (job.refund.state, job.refund.is_by_bank, job.refund.source) == ("succeeded", True, "unapplied")
    with pytest.raises(WrongState):
        record(world, job)


def test_more_than_was_asked_for_is_paid_by_bank_too(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="11000")
    world.pay(job)
    world.hear()
    unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    world.work()
    world.learn_of_refund(job.refund)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    decide(world, record(world, job))
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}"), held("platform:bank")) == ("returned", 0, 11_000)


def test_it_always_takes_two_people_and_the_second_one_may_refuse(world: World) -> None:
    job = refund_to_retry(world)
    first = world.staff()
    asked = record(world, job, first, request_key="one")
    assert record(world, job, first, request_key="one").pk == asked.pk
    with pytest.raises(FourEyes):
        approvals.decide(actor=first, approval_id=asked.pk, approve=True, now=world.now)
    decide(world, asked, approve=False)
    assert (job.refund.state, job.refund.holds_money, Refund.objects.count()) == ("failed", True, 1)


def test_it_is_paid_once_and_not_tried_again_after_that(world: World) -> None:
    job = refund_to_retry(world)
    failed = job.refund
    decide(world, record(world, job))
    for again in (
        lambda: refunds_by_bank.record(actor=world.staff(), refund_id=failed.pk, note=NOTE, now=world.now),
        lambda: refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now),
    ):
        with pytest.raises(WrongState):
            again()
    assert Refund.objects.count() == 2


def test_it_is_not_tried_again_while_the_second_person_decides(world: World) -> None:
    job = refund_to_retry(world)
    record(world, job)
    with pytest.raises(WrongState):
        refunds.retry(actor=world.staff(), refund_id=job.refund.pk, now=world.now)


def test_only_money_that_waits_is_paid_so(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    world.work()
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    with pytest.raises(WrongState):
        record(world, job)
    assert not Approval.objects.exists()


def test_only_finance_staff_records_it_with_a_reason_and_not_about_their_own_money(world: World) -> None:
    job = refund_to_retry(world)
    for actor in (job.client, job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            record(world, job, actor)
    with pytest.raises(WrongState):
        record(world, job, note=" ")
    assert user_id(job.client) == job.escrow.client_id
    assert not Approval.objects.exists()
