"""Situations of chargebacks, inquiries and fraud warnings, each to its end.

Each test ends with the ledger's provider accounts equal to what the offline provider itself recorded.
"""

from typing import Any

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import EscrowFrozen, EvidenceClosed, WrongState
from multitask.payments.escrow import disputes, releases
from multitask.payments.losses import acceptance, booking, evidence, late_refunds
from multitask.payments.models import Approval, AuditEvent, Chargeback, Loss, Operation, Reversal
from multitask.payments.operations import sweeper
from tests.integration.payments.losing import book, lost, parts, purse, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.payments.test_evidence import add, submit, write
from tests.integration.payments.test_unapplied_payments import second_payment
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


def contested(world: World, job: Job, **more: Any) -> Chargeback:
    dispute = contest(world, job, **more)
    return Chargeback.objects.get(provider_dispute_id=dispute)


def events_of(job: Job, *wanted: str) -> list[str]:
    return [name for name in job.history() if name in wanted]


# -- inquiries


def test_an_inquiry_takes_nothing_and_ends(world: World) -> None:
    job = world.released()
    inquiry = contested(world, job, inquiry=True)
    assert (inquiry.taken_minor, inquiry.fee_minor, purse(world, job)) == (0, 0, (0, 0, 0))
    submit(world, inquiry)
    close(world, inquiry.provider_dispute_id, "won")
    inquiry.refresh_from_db()
    assert (inquiry.status, purse(world, job), job.escrow.frozen_at) == ("warning_closed", (8_500, 0, 0), None)


def test_an_inquiry_that_becomes_a_chargeback_takes_the_money(world: World) -> None:
    job = world.started()
    inquiry = contested(world, job, inquiry=True)
    close(world, inquiry.provider_dispute_id, "escalated")
    inquiry.refresh_from_db()
    assert (inquiry.status, inquiry.taken_minor) == ("needs_response", 10_000)
    assert events_of(job, "chargeback_opened", "chargeback_escalated") == ["chargeback_opened", "chargeback_escalated"]
    close(world, inquiry.provider_dispute_id, "lost")
    assert parts(book(world, inquiry)) == (10_000, 0, 0, 0, 0)


def test_a_refund_by_the_staff_ends_an_inquiry(world: World) -> None:
    job = world.started()
    inquiry = contested(world, job, inquiry=True)
    with pytest.raises(EscrowFrozen):
        world.refund(job, job.freelancer)
    world.refund(job, world.staff())
    world.work()
    world.hear()
    inquiry.refresh_from_db()
    assert (inquiry.status, job.escrow.state, job.escrow.frozen_at) == ("warning_closed", "refunded", None)
    assert held(f"escrow:{job.escrow.pk}") == 0


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_refund_after_the_release_ends_an_inquiry(world: World, is_settled: bool) -> None:
    job = world.settled() if is_settled else world.released()
    inquiry = contested(world, job, inquiry=True)
    with pytest.raises(EscrowFrozen):
        late_refunds.refund(actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    late_refunds.refund(actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    world.work()
    world.hear()
    inquiry.refresh_from_db()
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
    assert (inquiry.status, inquiry.held_minor, job.escrow.frozen_at) == ("warning_closed", 0, None)
    assert (purse(world, job), held(f"contested:{job.escrow.pk}")) == ((0, 0, 0), 0)


def test_a_partial_refund_leaves_the_rest_held_by_the_inquiry(world: World) -> None:
    job = world.released()
    inquiry = contested(world, job, inquiry=True)
    late_refunds.refund(
        actor=world.staff(), escrow_id=job.escrow.pk, amount=dollars("40.00"), reason="agreed", now=world.now
    )
    world.work()
    world.hear()
    inquiry.refresh_from_db()
    assert (inquiry.status, inquiry.held_minor) == ("warning_needs_response", 5_100)
    close(world, inquiry.provider_dispute_id, "won")
    assert purse(world, job) == (5_100, 0, 0)


def test_a_chargeback_beside_an_inquiry_stops_refunds(world: World) -> None:
    job = world.started()
    contest(world, job, inquiry=True)
    contest(world, job, amount=4_000)
    with pytest.raises(EscrowFrozen):
        world.refund(job, world.staff())


# -- how chargebacks end


def test_a_chargeback_that_is_closed_before_it_was_opened_here(world: World) -> None:
    job = world.started()
    world.events()
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
    world.sandbox.control("POST", f"disputes/{made['id']}", {"outcome": "lost"})
    for event in reversed(world.events()):
        world.receive(event)
        world.work()
    chargeback = Chargeback.objects.get()
    assert (chargeback.status, chargeback.taken_minor, chargeback.fee_minor) == ("lost", 10_000, 1_500)
    assert events_of(job, "chargeback_opened", "chargeback_lost") == ["chargeback_opened", "chargeback_lost"]
    book(world, chargeback)
    assert job.escrow.state == "charged_back"


def test_an_accepted_chargeback_is_lost_and_booked(world: World) -> None:
    job = world.released()
    chargeback = contested(world, job)
    acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "lost"
    assert parts(book(world, chargeback)) == (0, 8_500, 1_500, 0, 0)
    assert purse(world, job) == (0, 0, 0)


@pytest.mark.parametrize(("verdict", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
def test_the_bank_decides_about_evidence(world: World, verdict: str, status: str) -> None:
    job = world.settled()
    chargeback = contested(world, job)
    add(world, chargeback)
    write(world, chargeback, remarks=verdict)
    submit(world, chargeback)
    world.sandbox.advance(0, wait=False)
    learn(world, chargeback.provider_dispute_id)
    chargeback.refresh_from_db()
    assert (chargeback.status, chargeback.closed_at) == (status, world.now)
    if status == "won":
        assert (purse(world, job), job.escrow.frozen_at) == ((0, 8_500, 0), None)
    else:
        assert parts(book(world, chargeback)) == (0, 8_500, 1_500, 0, 0)


def test_a_missed_deadline_loses(world: World) -> None:
    job = world.started()
    chargeback = contested(world, job)
    assert chargeback.evidence_due_at is not None
    world.now = chargeback.evidence_due_at
    with pytest.raises(EvidenceClosed):
        evidence.submit(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    # What the provider does at its deadline; its clock is shared with other tests.
    close(world, chargeback.provider_dispute_id, "lost")
    chargeback.refresh_from_db()
    assert (chargeback.status, chargeback.evidence_submitted_at) == ("lost", None)
    book(world, chargeback)
    assert job.escrow.state == "charged_back"


def test_a_bank_that_takes_what_was_refunded_before_is_borne_by_the_platform(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer, dollars("30.00"))
    world.work()
    chargeback = lost(world, job, amount=10_000)
    assert parts(book(world, chargeback)) == (7_000, 0, 0, 0, 3_000)
    assert held("platform:losses") == -3_000


def test_a_chargeback_of_a_payment_that_fits_no_escrow(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    made = world.sandbox.control("POST", "disputes", {"charge": job.payment.provider_collection_id})
    close(world, made["id"], "lost")
    chargeback = Chargeback.objects.get()
    assert job.escrow.frozen_at is None
    assert parts(book(world, chargeback)) == (9_000, 0, 0, 0, 0)
    assert (job.payment.state, held(f"unapplied:{job.payment.pk}")) == ("returned", 0)


def test_a_chargeback_of_a_second_payment_leaves_the_escrow_alone(world: World) -> None:
    job = world.funded()
    second = second_payment(world, job)
    world.sandbox.add_fault("error_before", method="POST", path="/v1/refunds")
    world.hear()
    second.refresh_from_db()
    state = world.provider.read_payment(str(second.provider_payment_id))
    made = world.sandbox.control("POST", "disputes", {"charge": state.collection_id})
    world.sandbox.clear_faults()
    learn(world, made["id"])
    assert (job.escrow.frozen_at, job.escrow.state) == (None, "funded")


def test_two_partial_chargebacks_of_one_payment(world: World) -> None:
    job = world.released()
    first, second = contested(world, job, amount=4_000), contested(world, job, amount=6_000)
    assert (first.held_minor, second.held_minor, purse(world, job)) == (3_400, 5_100, (0, 0, 0))
    close(world, first.provider_dispute_id, "lost")
    close(world, second.provider_dispute_id, "won")
    assert purse(world, job) == (5_100, 0, 0)
    assert job.escrow.frozen_at is not None
    assert parts(book(world, first)) == (0, 3_400, 600, 0, 0)
    assert (job.escrow.frozen_at, purse(world, job)) == (None, (5_100, 0, 0))


# -- while something else is under way


def test_a_chargeback_while_a_refund_is_pending(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer)
    chargeback = contested(world, job)
    world.work()
    job.refund.refresh_from_db()
    assert (job.refund.state, held(f"escrow:{job.escrow.pk}")) == ("failed", 10_000)
    close(world, chargeback.provider_dispute_id, "lost")
    assert parts(book(world, chargeback)) == (10_000, 0, 0, 0, 0)
    assert job.escrow.state == "charged_back"


def test_a_chargeback_while_the_sides_are_in_dispute(world: World) -> None:
    job = world.delivered()
    opened = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Not good", now=world.now)
    chargeback = contested(world, job)
    with pytest.raises(EscrowFrozen):
        disputes.settle(
            actor=world.staff(),
            dispute_id=opened.pk,
            client_amount=dollars("100.00"),
            freelancer_amount=dollars("0.00"),
            now=world.now,
        )
    assert "Not good" in evidence.texts(chargeback, None)["remarks"]
    close(world, chargeback.provider_dispute_id, "lost")
    book(world, chargeback)
    opened.refresh_from_db()
    assert (job.escrow.state, opened.state) == ("charged_back", "settled")


def test_a_chargeback_while_a_decision_waits_for_a_second_person(world: World) -> None:
    job = world.completed(dollars("2000.00"))
    asked = releases.release(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    assert isinstance(asked, Approval)
    chargeback = contested(world, job)
    with pytest.raises(EscrowFrozen):
        approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    close(world, chargeback.provider_dispute_id, "lost")
    with pytest.raises(WrongState):
        booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=False, now=world.now)
    loss = booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    assert isinstance(loss, Approval)
    approvals.decide(actor=world.staff(), approval_id=loss.pk, approve=True, now=world.now)
    assert job.escrow.state == "charged_back"


def test_a_chargeback_while_the_transfer_is_in_flight(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers")
    world.work()
    world.sandbox.clear_faults()
    chargeback = contested(world, job)
    close(world, chargeback.provider_dispute_id, "lost")
    book(world, chargeback)
    world.wait(minutes=30)
    sweeper.sweep(now=world.now)
    world.work()
    world.hear()
    world.wait(minutes=30)
    sweeper.sweep(now=world.now)
    world.work()
    assert purse(world, job) == (0, 0, 0)
    assert set(Reversal.objects.values_list("state", flat=True)) <= {"succeeded"}


def test_a_chargeback_while_a_withdrawal_is_in_flight(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    chargeback = contested(world, job)
    assert (chargeback.held_minor, purse(world, job)) == (0, (0, 0, 8_500))
    close(world, chargeback.provider_dispute_id, "lost")
    assert parts(book(world, chargeback)) == (0, 0, 1_500, 8_500, 0)
    world.arrive(withdrawal)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == -8_500


def test_a_withdrawal_in_flight_that_fails_leaves_what_is_owed(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    book(world, lost(world, job))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail")
    world.learn_of_payout(withdrawal)
    assert purse(world, job) == (0, 8_500, 0)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == -8_500


# -- crashes


def test_a_submission_is_completed_after_a_crash(world: World) -> None:
    job = world.delivered()
    chargeback = contested(world, job)
    add(world, chargeback)
    evidence.submit(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    for _ in range(3):
        world.lose_jobs()
        world.wait(minutes=20)
        sweeper.sweep(now=world.now)
        world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "under_review"
    assert events_of(job, "evidence_sent", "evidence_submitted") == ["evidence_sent", "evidence_submitted"]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/disputes/*"])
def test_a_submission_whose_answer_is_lost_is_made_once(world: World, path: str) -> None:
    chargeback = contested(world, world.delivered())
    add(world, chargeback)
    evidence.submit(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.sandbox.add_fault("drop_response", method="POST", path=path, count=1)
    for _ in range(3):
        world.work()
        world.wait(minutes=20)
        sweeper.sweep(now=world.now)
    chargeback.refresh_from_db()
    assert chargeback.status == "under_review"
    details = world.at_provider_now(f"disputes/{chargeback.provider_dispute_id}")["evidence_details"]
    assert details["submission_count"] == 1


def test_an_acceptance_is_completed_after_a_crash(world: World) -> None:
    chargeback = contested(world, world.delivered())
    acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.lose_jobs()
    world.wait(minutes=20)
    sweeper.sweep(now=world.now)
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "lost"
    assert AuditEvent.objects.filter(event="chargeback_accepted").count() == 1
    assert Operation.objects.get(kind="accept_chargeback").state == "succeeded"
