"""Early fraud warnings: refunded in time, closed with a reason, overtaken by a chargeback."""

import pytest

from multitask.payments.errors import WrongState
from multitask.payments.losses import fraud_warnings
from multitask.payments.models import FraudWarning, Loss, Refund
from multitask.webhooks import polling
from tests.integration.payments.losing import parts, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import contest
from tests.payments_world import Job, World

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
