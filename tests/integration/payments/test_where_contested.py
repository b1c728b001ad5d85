"""Why contested money is not further, in each state of a chargeback, an inquiry and a fraud warning."""

from datetime import datetime

import pytest

from multitask.payments.losses import booking
from multitask.payments.models import Chargeback, FraudWarning, Loss
from multitask.payments.reads import wallet_views, where
from tests.integration.payments.test_chargebacks import close, contest
from tests.integration.payments.test_where import rows, seen_by, wallet_of
from tests.payments_world import Job, World, user_id


def told_of_contest(world: World, job: Job) -> tuple[str, str | None, datetime | None]:
    """Why the money of a contested payment is not further, who has to act and until when; all readers see the same."""
    readers = [where.of_escrow(reader, job.escrow, world.now)[0] for reader in (job.client, job.freelancer)]
    assert seen_by(world, job.client, job)[0] == rows(readers)[0]
    assert seen_by(world, job.freelancer, job)[0] == rows(readers)[1]
    wallet_of(world, job.freelancer)
    (view,) = wallet_views.read(user_id=user_id(job.freelancer), default_currency="USD", now=world.now)
    ((reason, who, until),) = {(row.reason.value, row.depends_on, row.until) for row in [*readers, *view.where]}
    return reason, None if who is None else who.value, until


@pytest.mark.parametrize("is_released", [False, True])
def test_a_chargeback_waits_for_our_answer_then_for_the_bank_then_for_the_booking(
    world: World, is_released: bool
) -> None:
    job = world.released() if is_released else world.started()
    dispute = contest(world, job)
    due = Chargeback.objects.get().evidence_due_at
    assert due is not None
    assert due > world.now
    assert told_of_contest(world, job) == ("evidence_due", "staff", due)
    Chargeback.objects.update(status="under_review")
    assert told_of_contest(world, job) == ("contested", "bank", None)
    close(world, dispute, "lost")
    assert told_of_contest(world, job) == ("loss_to_book", "staff", None)
    booked = booking.book(actor=world.staff(), chargeback_id=Chargeback.objects.get().pk, now=world.now)
    assert isinstance(booked, Loss)
    assert {row.reason.value for row in where.of_escrow(job.client, job.escrow, world.now)} == {"done"}


def test_an_inquiry_waits_for_our_answer_and_then_for_the_bank(world: World) -> None:
    job = world.started()
    dispute = contest(world, job, inquiry=True)
    due = Chargeback.objects.get().evidence_due_at
    assert told_of_contest(world, job) == ("evidence_due", "staff", due)
    Chargeback.objects.update(status="warning_under_review")
    assert told_of_contest(world, job) == ("contested", "bank", None)
    close(world, dispute, "won")
    assert seen_by(world, job.client, job) == [("escrow", 10_000, "work_under_way", "freelancer")]


def test_a_chargeback_that_is_not_answered_in_time_or_given_up_waits_for_the_bank(world: World) -> None:
    job = world.released()
    contest(world, job)
    due = Chargeback.objects.get().evidence_due_at
    assert due is not None
    Chargeback.objects.update(evidence_due_at=world.now)
    assert told_of_contest(world, job) == ("contested", "bank", None)
    Chargeback.objects.update(evidence_due_at=due, accepted_at=world.now)
    assert told_of_contest(world, job) == ("contested", "bank", None)
    Chargeback.objects.update(evidence_due_at=None, accepted_at=None)
    assert told_of_contest(world, job) == ("evidence_due", "staff", None)


def test_a_fraud_warning_stops_nothing_and_changes_no_reason(world: World) -> None:
    job = world.started()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.payment.provider_collection_id})
    world.hear()
    assert FraudWarning.objects.count() == 1
    assert seen_by(world, job.client, job) == [("escrow", 10_000, "work_under_way", "freelancer")]
