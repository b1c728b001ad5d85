"""Chargebacks: everything that two do at the same moment has one effect."""

from typing import Any

import pytest

from multitask.payments.losses import acceptance, booking, chargebacks, evidence
from multitask.payments.models import Chargeback, Loss, Operation
from tests.integration.payments.losing import purse, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.races import together
from tests.payments_world import World, held

__all__ = ["the_books_equal_the_providers"]
pytestmark = pytest.mark.django_db(transaction=True)
MANY = 8


def test_two_of_the_staff_book_one_loss(world: World) -> None:
    job = world.released()
    dispute = contest(world, job)
    close(world, dispute, "lost")
    chargeback = Chargeback.objects.get()
    staff = [world.staff() for _ in range(2)] * (MANY // 2)
    calls = [lambda who=who: booking.book(actor=who, chargeback_id=chargeback.pk, now=world.now) for who in staff]
    answers = together(calls)
    assert {answer.pk for answer in answers} == {Loss.objects.get().pk}
    world.work()
    assert purse(world, job) == (0, 0, 0)
    assert held("platform:fees") == 0


def test_the_webhook_and_the_poll_at_once_take_the_money_once(world: World) -> None:
    job = world.released()
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
    state = world.provider.read_dispute(made["id"])
    answers: list[Any] = together([lambda: chargebacks.confirm("stripe", state, world.now)] * MANY)
    assert answers == [None] * MANY
    chargeback = Chargeback.objects.get()
    assert (chargeback.taken_minor, chargeback.fee_minor, chargeback.held_minor) == (10_000, 1_500, 8_500)
    assert held(f"contested:{job.escrow.pk}") == 8_500
    assert job.history().count("chargeback_opened") == 1


def test_evidence_that_is_submitted_by_many_is_sent_once(world: World) -> None:
    contest(world, world.delivered())
    chargeback, staff = Chargeback.objects.get(), world.staff()
    together([lambda: evidence.submit(actor=staff, chargeback_id=chargeback.pk, now=world.now)] * MANY)
    world.work()
    assert Operation.objects.filter(kind="submit_evidence").count() == 1
    details = world.at_provider_now(f"disputes/{chargeback.provider_dispute_id}")["evidence_details"]
    assert details["submission_count"] == 1


def test_a_chargeback_is_either_accepted_or_answered(world: World) -> None:
    contest(world, world.delivered())
    chargeback, staff = Chargeback.objects.get(), world.staff()
    together(
        [
            lambda: evidence.submit(actor=staff, chargeback_id=chargeback.pk, now=world.now),
            lambda: acceptance.accept(actor=staff, chargeback_id=chargeback.pk, now=world.now),
        ]
        * (MANY // 2)
    )
    world.work()
    assert Operation.objects.filter(kind__in=["submit_evidence", "accept_chargeback"]).count() == 1
    learn(world, chargeback.provider_dispute_id)
    chargeback.refresh_from_db()
    assert chargeback.status in {"under_review", "lost"}
