"""Where each cent of an escrow is, at every stage: the parts always add up to the whole."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from multitask.payments import staff_commands
from multitask.payments.books import journal
from multitask.payments.errors import (
    Forbidden,
    InsufficientFunds,
    NotFound,
    OnboardingIncomplete,
    WrongState,
)
from multitask.payments.escrow import disputes
from multitask.payments.models import AuditEvent, Escrow, HistoryRow, Payment
from multitask.payments.operations import sweeper
from multitask.payments.reads import allocation, previews
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, user_id


def places(job: Job) -> dict[str, int]:
    parts = allocation.parts(job.escrow)
    assert sum(part.amount.amount_minor for part in parts) == job.escrow.total_minor
    return {part.place.value: part.amount.amount_minor for part in parts}


def test_before_the_payment_it_is_not_there(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    assert places(job) == {"unpaid": 10_000}
    Payment.objects.update(provider_status="processing")
    assert places(job) == {"provider": 10_000}


def test_from_escrow_to_the_bank(world: World) -> None:
    job = world.completed()
    assert places(job) == {"escrow": 10_000}
    world.release(job)
    assert places(job) == {"pending": 8_500, "fee": 1_500}
    world.work()
    world.settle(job)
    assert places(job) == {"available": 8_500, "fee": 1_500}
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    assert places(job) == {"withdrawing": 6_000, "available": 2_500, "fee": 1_500}
    world.arrive(withdrawal)
    assert places(job) == {"bank": 6_000, "available": 2_500, "fee": 1_500}


def test_back_to_the_client(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    assert places(job) == {"escrow": 6_000, "refunding": 4_000}
    world.work()
    assert places(job) == {"escrow": 6_000, "refunded": 4_000}
    world.refund(job)
    world.work()
    assert places(job) == {"refunded": 10_000}


def test_a_settled_dispute_goes_both_ways(world: World) -> None:
    job = world.started()
    dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    disputes.settle(
        actor=world.staff(),
        dispute_id=dispute.pk,
        client_amount=dollars("30"),
        freelancer_amount=dollars("70"),
        now=world.now,
    )
    assert places(job) == {"refunding": 3_000, "pending": 5_950, "fee": 1_050}
    world.work()
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    world.learn_of_refund(job.refund)
    assert places(job) == {"refunding": 3_000, "pending": 5_950, "fee": 1_050}


def test_what_settled_first_is_withdrawn_first(world: World) -> None:
    freelancer = world.freelancer()
    first = world.settled(freelancer=freelancer)
    second = world.settled(freelancer=freelancer)
    world.arrive(world.withdrawn(freelancer, dollars("85.00")))
    world.withdrawn(freelancer, dollars("30.00"))
    assert places(first) == {"bank": 8_500, "fee": 1_500}
    assert places(second) == {"withdrawing": 3_000, "available": 5_500, "fee": 1_500}


def test_two_that_settled_together_go_in_the_order_of_their_numbers(world: World) -> None:
    freelancer = world.freelancer()
    jobs = [world.settled(freelancer=freelancer) for _ in range(2)]
    Escrow.objects.update(made_available_at=world.now)
    world.arrive(world.withdrawn(freelancer, dollars("100.00")))
    assert [places(job).get("bank") for job in jobs] == [8_500, 1_500]


# -- the books behind a row of the history


def test_each_row_leads_to_its_transactions(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))

    def kinds(actor: Actor, type_: str) -> list[str]:
        row = HistoryRow.objects.get(user_id=user_id(actor), type=type_)
        return [posted.kind for posted in journal.of_row(row)]

    assert kinds(job.client, "escrow_deposit") == ["escrow_funded"]
    assert kinds(job.client, "escrow_release") == ["escrow_released"]
    assert kinds(job.freelancer, "escrow_release") == ["escrow_released", "settled"]
    assert kinds(job.freelancer, "withdrawal") == ["withdrawal_requested", "withdrawal_paid"]
    released = journal.of_row(HistoryRow.objects.get(user_id=user_id(job.client), type="escrow_release"))[0]
    assert released.legs[0].amount == dollars("-100.00")
    assert sum(leg.amount.amount_minor for leg in released.legs) == 0


def test_a_row_about_nothing_in_the_books_leads_nowhere(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    row = HistoryRow.objects.get()
    assert journal.of_row(row) == []
    row.reference = "something else"
    assert journal.of_row(row) == []


# -- what a withdrawal would do

MONDAY = datetime(2030, 1, 7, 23, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


def test_a_preview_says_what_reaches_the_bank_and_when(world: World) -> None:
    job = world.settled()
    seen = previews.withdrawal(actor=job.freelancer, amount=dollars("60.00"), now=MONDAY, zone=ZONE)
    assert (seen.amount, seen.fee, seen.arrives, seen.remaining) == (
        dollars("60.00"),
        dollars("0.00"),
        dollars("60.00"),
        dollars("25.00"),
    )
    assert (seen.earliest, seen.latest) == (date(2030, 1, 8), date(2030, 1, 10))


def test_a_preview_counts_business_days_where_its_reader_lives(world: World) -> None:
    job = world.settled()
    tokyo = previews.withdrawal(
        actor=job.freelancer, amount=dollars("1.00"), now=MONDAY.replace(day=10), zone=ZoneInfo("Asia/Tokyo")
    )  # Friday morning there.
    assert (tokyo.earliest, tokyo.latest) == (date(2030, 1, 14), date(2030, 1, 16))


def test_a_preview_says_what_stands_against_it(world: World) -> None:
    job = world.settled()
    with pytest.raises(InsufficientFunds):
        previews.withdrawal(actor=job.freelancer, amount=dollars("85.01"), now=MONDAY, zone=ZONE)
    for actor in (Actor.visitor(), world.freelancer(onboarded=False)):
        with pytest.raises(OnboardingIncomplete):
            previews.withdrawal(actor=actor, amount=dollars("1.00"), now=MONDAY, zone=ZONE)
    assert AuditEvent.objects.filter(event="withdrawal_requested").count() == 0


# -- what staff does outside the ordinary course


def test_finance_staff_pushes_a_call_that_is_stuck(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/transfers", count=1)
    world.work()
    finance = replace(world.staff(), ip="198.51.100.4")
    for actor in (job.client, world.staff("support")):
        with pytest.raises(Forbidden):
            staff_commands.retry_operation(actor=actor, operation_id=job.transfer.pk, note="Stuck", now=world.now)
    staff_commands.retry_operation(actor=finance, operation_id=job.transfer.pk, note="Stuck", now=world.now)
    assert world.work() == ["perform_operation"]
    assert job.transfer.state == "succeeded"
    written = AuditEvent.objects.get(event="operation_retried")
    assert (written.note, written.actor_id, written.escrow_id) == ("Stuck", finance.user_id, job.escrow.pk)
    with pytest.raises(WrongState):
        staff_commands.retry_operation(actor=finance, operation_id=job.transfer.pk, note="Again", now=world.now)
    with pytest.raises(NotFound):
        staff_commands.retry_operation(actor=finance, operation_id=4_000_000_000, note="", now=world.now)


def test_finance_staff_sweeps_what_is_overdue(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.lose_jobs()
    with pytest.raises(Forbidden):
        staff_commands.sweep_operations(actor=job.client, note="", now=world.now)
    assert staff_commands.sweep_operations(actor=world.staff(), note="After the outage", now=world.now) == 1
    assert sweeper.sweep(now=world.now) == 0
    written = AuditEvent.objects.get(event="operations_swept")
    assert (written.note, written.details) == ("After the outage", {"operations": 1})
