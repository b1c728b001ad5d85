"""Early fraud warnings: refunded in time, closed with a reason, overtaken by a chargeback."""

import pytest

from multitask.payments.errors import WrongState
from multitask.payments.losses import fraud_warnings
from multitask.payments.models import FraudWarning, Loss, Payment, Refund
from multitask.webhooks import polling
from tests.integration.payments.losing import parts, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import contest
from tests.integration.payments.test_money_moved_outside import reviewed
from tests.payments_world import Job, World, held

__all__ = ["the_books_equal_the_providers"]


def warned(world: World, job: Job) -> FraudWarning:
    world.events()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    assert "radar.early_fraud_warning.created" in world.hear()
    return FraudWarning.objects.get(escrow=job.escrow)


def events_of(job: Job, *wanted: str) -> list[str]:
    return [name for name in job.history() if name in wanted]


def test_a_warning_that_is_refunded_in_time_costs_no_fee(world: World) -> None:
    job = world.started()
    warning = warned(world, job)
    assert (warning.reason, warning.is_actionable, warning.closed_at) == ("unauthorized_use_of_card", True, None)
    staff = world.staff()
    for _ in range(2):
        fraud_warnings.refund(actor=staff, warning_id=warning.pk, now=world.now, request_key="once")
    world.work()
    world.hear()
    warning.refresh_from_db()
    assert (warning.is_actionable, warning.closed_at, job.escrow.state) == (False, world.now, "refunded")
    assert Refund.objects.count() == 1
    assert events_of(job, "fraud_warning_opened", "fraud_warning_ended") == [
        "fraud_warning_opened",
        "fraud_warning_ended",
    ]


def test_a_warning_after_the_release_is_refunded_by_the_waterfall(world: World) -> None:
    job = world.settled()
    warning = warned(world, job)
    fraud_warnings.refund(actor=world.staff(), warning_id=warning.pk, now=world.now)
    world.work()
    world.hear()
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
    warning.refresh_from_db()
    assert warning.closed_at is not None


def paid_anew(world: World) -> tuple[Job, Payment]:
    """90 dollars arrive and fit no escrow; then the client pays the 100 that were asked for."""
    job = reviewed(world)
    wrong = job.payment
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()
    assert (job.escrow.state, job.payment.pk == wrong.pk) == ("funded", False)
    return job, wrong


def test_a_warning_about_a_payment_that_fits_no_escrow_returns_that_payment(world: World) -> None:
    job, wrong = paid_anew(world)
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": wrong.provider_collection_id})
    world.hear()
    warning, staff = FraudWarning.objects.get(payment=wrong), world.staff()
    first, again = (
        fraud_warnings.refund(actor=staff, warning_id=warning.pk, now=world.now, request_key="once") for _ in range(2)
    )
    assert first == again
    world.work()
    world.hear()
    [refund] = Refund.objects.all()
    wrong.refresh_from_db()
    assert (refund.payment_id, refund.state, wrong.state) == (wrong.pk, "succeeded", "returned")
    assert (job.escrow.state, job.task.status, held(f"escrow:{job.escrow.pk}")) == ("funded", "assigned", 10_000)
    warning.refresh_from_db()
    assert (warning.is_actionable, warning.closed_at) == (False, world.now)
    with pytest.raises(WrongState):
        fraud_warnings.refund(actor=staff, warning_id=warning.pk, now=world.now)


def test_a_warning_about_the_payment_in_escrow_leaves_one_that_fits_none(world: World) -> None:
    job, wrong = paid_anew(world)
    fraud_warnings.refund(actor=world.staff(), warning_id=warned(world, job).pk, now=world.now)
    world.work()
    world.hear()
    wrong.refresh_from_db()
    assert (job.escrow.state, job.refund.payment_id, wrong.state) == ("refunded", job.payment.pk, "review")


def test_a_warning_is_closed_with_a_reason(world: World) -> None:
    job = world.started()
    warning = warned(world, job)
    with pytest.raises(WrongState):
        fraud_warnings.close(actor=world.staff(), warning_id=warning.pk, note=" ", now=world.now)
    closed = fraud_warnings.close(actor=world.staff(), warning_id=warning.pk, note="Known client", now=world.now)
    assert (closed.closed_at, closed.note, job.escrow.state) == (world.now, "Known client", "funded")
    contest(world, job)
    world.hear()
    warning.refresh_from_db()
    assert (warning.is_actionable, warning.note) == (False, "Known client")


def test_a_warning_whose_webhook_was_lost_is_found_by_the_poll(world: World) -> None:
    job = world.started()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    quarter = world.now.replace(minute=15, second=0)
    for _ in range(2):
        polling.refresh_open(now=quarter)
    assert FraudWarning.objects.filter(escrow=job.escrow).count() == 1
