"""Polls of slow providers and of those that are down: what they leave is read by the next poll."""

import pytest
from django.db.models import F, TextField
from django.db.models.functions import Cast
from pytest_django import Settings

from multitask.payments.models import Payment
from multitask.webhooks import polling
from tests.integration.payments.test_polling import DAY, MIDNIGHT, MINUTE, begun_at_midnight, copy_payment
from tests.payments_world import World

__all__ = ["begun_at_midnight"]


@pytest.mark.breaks_the_books  # The copies have no history.
def test_a_provider_that_is_down_keeps_no_object_of_another_waiting(world: World, settings: Settings) -> None:
    settings.PAYMOB_SECRET_KEY, settings.PAYMOB_API_BASE = "secret", "http://127.0.0.1:9"
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    copy_payment(job, 3)
    # They are newer, so they come first.
    copies = Payment.objects.exclude(pk=job.payment.pk)
    copies.update(provider="paymob", provider_payment_id=Cast(F("id"), TextField()))

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1
    assert job.escrow.state == "funded"


def test_a_poll_that_runs_out_of_time_is_continued_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [world.hired() for _ in range(3)]
    for job in jobs:
        world.ask_to_pay(job)
        world.pay(job)
    # Only the first call of the first poll is slower than a poll may last.
    world.sandbox.add_fault("delay", method="GET", path="/v1/payment_intents/*", seconds=1, count=1)
    monkeypatch.setattr(polling, "LONGEST_SECONDS", 0.5)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1
    assert [job.escrow.state for job in jobs] == ["pending_payment", "pending_payment", "funded"]

    # They are due at every minute in their first quarter of an hour; the two that wait come first.
    monkeypatch.setattr(polling, "LONGEST_SECONDS", 20)
    assert polling.refresh_open(now=MIDNIGHT + 2 * MINUTE) == 2
    assert [job.escrow.state for job in jobs] == ["funded"] * 3


def test_what_was_due_when_the_time_was_up_is_read_although_its_minute_has_passed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    monkeypatch.setattr(polling, "LONGEST_SECONDS", 0)
    polling.refresh_open(now=MIDNIGHT + 10 * DAY)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})

    monkeypatch.setattr(polling, "LONGEST_SECONDS", 20)
    polling.refresh_open(now=MIDNIGHT + 10 * DAY + MINUTE)

    assert job.refund.state == "failed"
