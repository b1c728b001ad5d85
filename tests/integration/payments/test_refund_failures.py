"""Refunds that the card's bank does not take, or sends back later."""

from datetime import timedelta

import pytest

from multitask.marketplace import listing
from multitask.marketplace.states import TaskStatus
from multitask.payments.books import audit
from multitask.payments.errors import (
    EscrowFrozen,
    Forbidden,
    NotFound,
    RefundInProgress,
    UnknownObject,
    WrongState,
)
from multitask.payments.escrow import auto_release, disputes, refund_outcomes, refunds
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import AuditEvent, Escrow, HistoryRow, Operation, Payment, Refund
from multitask.payments.operations import engine
from multitask.payments.provider import RefundState, RefundStatus
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.payments_world import REFUNDED_LATER, Job, World, dollars, held


def fail_at_bank(world: World, job: Job, reason: str = "expired_or_canceled_card") -> Refund:
    """Fail the newest refund at the bank, and process the event."""
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": reason})
    return world.learn_of_refund(job.refund)


def test_a_refund_that_the_bank_takes_later_is_pending_until_then(world: World) -> None:
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job)
    world.work()
    assert (job.refund.state, job.escrow.state) == ("pending", "funded")
    assert Operation.objects.get(kind="create_refund").state == "succeeded"
    world.sandbox.advance(2, wait=False)
    assert "refund.updated" in world.hear()
    assert (job.refund.state, job.escrow.state) == ("succeeded", "refunded")


def test_a_pending_refund_that_fails_goes_back_to_escrow(world: World) -> None:
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job, amount=dollars("40.00"))
    world.work()
    refund = fail_at_bank(world, job)
    assert (refund.state, refund.failure_code) == ("failed", "expired_or_canceled_card")
    assert refund.failure_reason == "The card has expired or was cancelled."
    assert (job.escrow.state, job.escrow.refunded_minor) == ("funded", 0)
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    row = HistoryRow.objects.get(refund=refund)
    assert (row.status, row.failure_reason) == ("failed", refund.failure_reason)
    assert job.history()[-2:] == ["refund_started", "refund_failed"]


def test_a_paid_refund_that_fails_afterwards_opens_the_escrow_again(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.escrow.state == "refunded"
    fail_at_bank(world, job)
    assert job.refund.state == "failed"
    assert (job.escrow.state, job.escrow.refunded_minor, job.escrow.refunded_at) == ("funded", 0, None)
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert held("provider:stripe:balance") == -(10_000 - 320)
    assert world.wallet(job.client).lifetime_spent == dollars("100.00")


def test_a_partial_refund_that_fails_afterwards_is_added_to_what_is_left(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    fail_at_bank(world, job, "lost_or_stolen_card")
    assert job.refund.failure_reason == "The card was reported lost or stolen."
    assert job.escrow.remaining == dollars("100.00")
    assert world.release(job).released_minor == 10_000


def test_a_refund_that_fails_after_the_rest_was_released_waits_for_staff(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    first = fail_at_bank(world, job)
    assert held(f"refund:{first.pk}") == 4_000
    assert (job.escrow.state, job.escrow.refunded_minor) == ("released", 0)

    finance = world.staff()
    again = refunds.retry(actor=finance, refund_id=first.pk, now=world.now)
    assert held(f"refund:{first.pk}") == 0
    world.work()
    again.refresh_from_db()
    assert (again.state, again.amount_minor) == ("succeeded", 4_000)
    assert held(f"refund:{again.pk}") == 0
    assert (job.escrow.state, job.escrow.refunded_minor) == ("released", 4_000)
    assert "refund_retried" in job.history()


def test_what_waits_in_a_failed_refund_is_sent_again_only_once(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    first = fail_at_bank(world, job)
    finance = world.staff()
    refunds.retry(actor=finance, refund_id=first.pk, now=world.now)
    for actor in (finance, world.staff()):
        with pytest.raises(WrongState):
            refunds.retry(actor=actor, refund_id=first.pk, now=world.now)
    assert Refund.objects.count() == 2


def test_a_retried_refund_that_fails_too_can_be_retried_itself(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    first = fail_at_bank(world, job)
    second = refunds.retry(actor=world.staff(), refund_id=first.pk, now=world.now)
    world.work()
    fail_at_bank(world, job)
    assert held(f"refund:{second.pk}") == 4_000
    third = refunds.retry(actor=world.staff(), refund_id=second.pk, now=world.now)
    world.work()
    third.refresh_from_db()
    assert third.state == "succeeded"
    assert held(f"refund:{second.pk}") == held(f"refund:{third.pk}") == 0


def test_staff_tries_a_failed_refund_of_an_open_escrow_again(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    failed = fail_at_bank(world, job)
    for actor in (job.client, job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            refunds.retry(actor=actor, refund_id=failed.pk, now=world.now)
    again = refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    assert again.pk != failed.pk
    world.work()
    assert job.escrow.state == "refunded"


def test_a_failed_refund_of_an_open_escrow_is_tried_again_only_once(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("30.00"))
    world.work()
    failed = fail_at_bank(world, job)
    refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    world.work()
    with pytest.raises(WrongState):
        refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    assert job.escrow.refunded_minor == 3_000


def test_two_refunds_that_wait_for_staff_go_one_after_the_other(world: World) -> None:
    job = world.completed()
    for part in ("40.00", "20.00"):
        world.refund(job, job.freelancer, dollars(part))
        world.work()
    world.release(job)
    waiting = list(Refund.objects.order_by("pk"))
    for refund in waiting:
        world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail", {"reason": "declined"})
        world.learn_of_refund(refund)
    finance = world.staff()
    refunds.retry(actor=finance, refund_id=waiting[0].pk, now=world.now)
    with pytest.raises(RefundInProgress):
        refunds.retry(actor=finance, refund_id=waiting[1].pk, now=world.now)
    world.work()
    refunds.retry(actor=finance, refund_id=waiting[1].pk, now=world.now)
    world.work()
    assert job.escrow.refunded_minor == 6_000


def test_nothing_is_sent_again_while_the_payment_is_contested(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    failed = fail_at_bank(world, job)
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    with pytest.raises(EscrowFrozen):
        refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)


def test_money_that_went_back_to_escrow_and_was_released_is_not_sent_again(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    failed = fail_at_bank(world, job)
    assert list(work_queue.failed_refunds(world.now)) == [failed]
    world.release(job)
    assert job.escrow.released_minor == 10_000
    assert not work_queue.failed_refunds(world.now).exists()
    with pytest.raises(WrongState, match="was released"):
        refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)


def test_a_failed_refund_whose_money_left_by_another_refund_waits_for_nobody(world: World) -> None:
    job = world.funded()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    fail_at_bank(world, job)
    world.refund(job, job.freelancer, dollars("70.00"))
    world.work()
    assert not work_queue.failed_refunds(world.now).exists()


def test_a_task_whose_whole_refund_came_back_is_completed_when_its_money_is_released(world: World) -> None:
    job = world.delivered(freelancer=world.freelancer())
    world.refund(job, job.freelancer)
    world.work()
    fail_at_bank(world, job)
    assert (job.escrow.state, job.task.status) == ("funded", "cancelled")
    world.release(job, world.staff())
    assert (job.escrow.state, job.task.status) == ("released", "completed")
    assert job.task.times.completed_at == world.now
    assert listing.own_tasks(job.client, status=TaskStatus.COMPLETED).exists()


def test_why_the_card_took_no_refund_is_not_shown_to_the_freelancer(world: World) -> None:
    job = world.delivered()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    failed = fail_at_bank(world, job)
    event = AuditEvent.objects.get(event="refund_failed")
    assert audit.visible_note(job.client, event) == failed.failure_reason != ""
    assert audit.visible_note(job.freelancer, event) == ""
    assert audit.visible_note(world.staff(), event) == failed.failure_reason


def test_only_failed_refunds_are_tried_again(world: World) -> None:
    job = world.funded()
    world.refund(job)
    for _ in ("pending", "succeeded"):
        with pytest.raises(WrongState):
            refunds.retry(actor=world.staff(), refund_id=job.refund.pk, now=world.now)
        world.work()


def test_a_refund_that_the_provider_refuses_goes_back_to_escrow(world: World) -> None:
    job = world.funded()
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id))
    world.refund(job)
    world.work()
    assert (job.refund.state, job.refund.failure_code) == ("failed", "charge_already_refunded")
    assert job.refund.failure_reason == "This payment was refunded already."
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert Operation.objects.get(kind="create_refund").state == "failed"
    engine.perform(Operation.objects.get(kind="create_refund").pk, now=world.now)
    assert held(f"escrow:{job.escrow.pk}") == 10_000


def test_a_refund_that_is_cancelled_at_the_provider_goes_back_to_escrow(world: World) -> None:
    job = world.funded()
    refund = world.refund(job)
    state = RefundState(
        id="re_x", status=RefundStatus.CANCELLED, amount=dollars("100"), payment_id="pi_x",
        reference=f"create_refund:{refund.pk}:1",
    )  # fmt: skip
    for _ in range(2):
        refund_outcomes.confirm("stripe", state, world.now)
    assert job.refund.state == "failed"
    assert job.refund.failure_reason == "The card's bank could not take the refund."
    assert held(f"escrow:{job.escrow.pk}") == 10_000


@pytest.mark.parametrize("reference", ["", "create_refund:1:1", "create_payout:1:1"])
def test_a_refund_that_nobody_here_made_is_unknown(world: World, reference: str) -> None:
    state = RefundState(
        id="re_x", status=RefundStatus.SUCCEEDED, amount=dollars("1"), payment_id="pi_x", reference=reference
    )
    with pytest.raises(UnknownObject):
        refund_outcomes.confirm("stripe", state, world.now)


def test_a_webhook_that_overtakes_the_answer_is_believed(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/refunds", count=1)
    world.work()
    assert job.refund.provider_refund_id is None
    assert "refund.created" in world.hear()
    assert job.escrow.state == "refunded"
    world.wait(minutes=1)
    world.work()
    assert Operation.objects.get(kind="create_refund").state == "succeeded"
    assert len(world.made("refund", f"create_refund:{job.refund.pk}:1")) == 1


# -- a decision that money goes back is not undone by silence


def test_silence_does_not_release_what_was_to_go_back(world: World) -> None:
    job = world.delivered()
    world.refund(job)
    refunds.answer(actor=job.freelancer, refund_id=job.refund.pk, accept=True, now=world.now)
    world.work()
    fail_at_bank(world, job)
    assert job.escrow.state == "funded"
    world.wait(timedelta(days=30))
    assert auto_release.due(now=world.now) == []
    assert not auto_release.release(escrow_id=job.escrow.pk, now=world.now)


def test_silence_does_not_release_what_a_settlement_gave_to_the_client(world: World) -> None:
    job = world.delivered()
    dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Empty", now=world.now)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=dollars("100"), freelancer_amount=dollars("0"),
        now=world.now,
    )  # fmt: skip
    world.work()
    fail_at_bank(world, job)
    world.wait(timedelta(days=30))
    assert not auto_release.release(escrow_id=job.escrow.pk, now=world.now)
    assert job.escrow.state == "funded"


# -- payments under review


def reviewed(world: World) -> Job:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.learn_of_payment(job)
    return job


def test_staff_sends_a_payment_under_review_back(world: World) -> None:
    job = reviewed(world)
    for actor in (job.client, job.freelancer, world.staff("support"), Actor.visitor()):
        with pytest.raises(Forbidden):
            unapplied_payments.return_payment(actor=actor, payment_id=job.payment.pk, now=world.now)
    finance = world.staff()
    refund = unapplied_payments.return_payment(actor=finance, payment_id=job.payment.pk, now=world.now)
    assert (refund.source, refund.amount_minor) == ("unapplied", 9_000)
    with pytest.raises(WrongState):
        unapplied_payments.return_payment(actor=finance, payment_id=job.payment.pk, now=world.now)
    world.work()
    assert job.payment.state == "returned"
    assert held(f"unapplied:{job.payment.pk}") == 0
    with pytest.raises(WrongState):
        unapplied_payments.return_payment(actor=finance, payment_id=job.payment.pk, now=world.now)


def test_a_returned_payment_that_bounces_is_under_review_again(world: World) -> None:
    job = reviewed(world)
    unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    world.work()
    failed = fail_at_bank(world, job)
    assert job.payment.state == "review"
    assert held(f"unapplied:{job.payment.pk}") == 9_000
    with pytest.raises(WrongState):
        refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    world.work()
    assert job.payment.state == "returned"


def test_a_payment_that_does_not_exist_cannot_be_returned(world: World) -> None:
    with pytest.raises(NotFound):
        unapplied_payments.return_payment(actor=world.staff(), payment_id=4_000_000_000, now=world.now)


def test_a_payment_in_escrow_is_not_returned(world: World) -> None:
    job = world.funded()
    with pytest.raises(WrongState):
        unapplied_payments.return_payment(actor=world.staff(), payment_id=Payment.objects.get().pk, now=world.now)
    assert held(f"escrow:{job.escrow.pk}") == 10_000


def test_a_card_that_takes_no_refunds_says_so_after_it_was_paid(world: World) -> None:
    job = world.funded(card="4000000000005126")
    world.refund(job)
    world.work()
    assert (job.refund.state, job.escrow.state) == ("succeeded", "refunded")
    world.sandbox.advance(2, wait=False)
    assert "refund.failed" in world.hear()
    assert (job.refund.state, job.refund.failure_code) == ("failed", "expired_or_canceled_card")
    assert job.escrow.state == "funded"
    assert held(f"escrow:{job.escrow.pk}") == 10_000
