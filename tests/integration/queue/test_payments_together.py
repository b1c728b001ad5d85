"""Payments of a backlog of events are applied in one transaction, as each of them alone would be."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask.payments.models import Payment
from multitask.payments.states import EscrowState
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests import refused_escrows
from tests.integration.queue.test_backlog import count_reads, in_state
from tests.integration.races import together
from tests.payments_world import DECLINED, Job, World, held


def paid_by_many(world: World, number: int) -> list[Job]:
    """Payments that are paid at the provider, of different clients and freelancers, whose events wait for long."""
    jobs = [world.hired() for _ in range(number)]
    for job in jobs:
        world.ask_to_pay(job)
        world.pay(job)
    for event in world.events():
        world.receive(event)
    be_late()
    return jobs


def be_late() -> None:
    past = timezone.now() - timedelta(minutes=1)
    IncomingEvent.objects.update(next_attempt_at=past, waiting_since=past)


@pytest.mark.django_db
def test_payments_of_a_backlog_are_funded_in_one_transaction(world: World) -> None:
    jobs = paid_by_many(world, 4)
    reads = count_reads(world, "/v1/payment_intents/*")

    with CaptureQueriesContext(connection) as statements:
        assert incoming.process_newest(now=timezone.now()) == 4

    assert sum("ledger_post" in statement["sql"] for statement in statements) == 1
    assert {job.escrow.state for job in jobs} == {EscrowState.FUNDED}
    assert reads() == 4
    about = IncomingEvent.objects.filter(subject="payment")
    assert about.count() > 4
    assert set(about.values_list("state", flat=True)) == {EventState.PROCESSED}
    assert [held(f"escrow:{job.escrow.pk}") for job in jobs] == [10_000] * 4


@pytest.mark.django_db
@pytest.mark.breaks_the_books  # Another amount was expected than the history says.
def test_payments_that_fund_nothing_are_applied_with_what_was_read(world: World) -> None:
    """One of three payments was declined, and another amount was expected of one."""
    jobs = [world.hired() for _ in range(3)]
    for job in jobs:
        world.ask_to_pay(job)
    world.pay(jobs[0])
    world.pay(jobs[1], DECLINED)
    world.pay(jobs[2])
    Payment.objects.filter(pk=jobs[2].payment.pk).update(amount_minor=9_999)
    for event in world.events():
        world.receive(event)
    be_late()
    reads = count_reads(world, "/v1/payment_intents/*")

    assert incoming.process_newest(now=timezone.now()) == 3

    assert reads() == 3
    assert [job.escrow.state for job in jobs] == ["funded", "pending_payment", "pending_payment"]
    assert [job.payment.state for job in jobs] == ["succeeded", "pending", "review"]
    assert set(IncomingEvent.objects.filter(subject="payment").values_list("state", flat=True)) == {"processed"}


@pytest.mark.django_db
def test_a_payment_whose_escrow_cannot_be_funded_holds_up_no_other(world: World) -> None:
    jobs = paid_by_many(world, 3)
    refused_escrows.refuse(jobs[1].escrow.pk)

    assert incoming.process_newest(now=timezone.now()) == 3

    assert [job.escrow.state for job in jobs] == ["funded", "pending_payment", "funded"]
    assert IncomingEvent.objects.filter(object_id=jobs[1].payment.provider_payment_id, state="received").exists()


@pytest.mark.django_db
def test_an_event_that_cannot_be_read_holds_up_no_other(world: World) -> None:
    """The newest is of a provider that is configured no more."""
    jobs = paid_by_many(world, 3)
    newest = IncomingEvent.objects.filter(subject="payment").latest("pk")
    IncomingEvent.objects.filter(pk=newest.pk).update(provider="gone", object_id="pi_gone")

    assert incoming.process_newest(now=timezone.now()) == 4

    newest.refresh_from_db()
    assert (newest.state, newest.attempts) == ("received", 1)
    assert {job.escrow.state for job in jobs} == {EscrowState.FUNDED}


@pytest.mark.django_db
def test_a_payment_that_the_provider_does_not_tell_is_read_once(world: World) -> None:
    jobs = paid_by_many(world, 4)
    path = f"/v1/payment_intents/{jobs[1].payment.provider_payment_id}"
    fault = world.sandbox.add_fault("error_before", method="GET", path=path)

    assert incoming.process_newest(now=timezone.now()) == 4

    assert [rule["fired"] for rule in world.sandbox.faults() if rule["id"] == fault["id"]] == [1]
    assert [job.escrow.state for job in jobs] == ["funded", "pending_payment", "funded", "funded"]


@pytest.mark.django_db(transaction=True)
def test_jobs_and_batches_at_once_fund_each_escrow_once(world: World) -> None:
    jobs = paid_by_many(world, 6)
    ids = list(IncomingEvent.objects.filter(subject="payment").order_by("pk").values_list("pk", flat=True))

    answers = together(
        [
            *[lambda: incoming.process_newest(now=timezone.now())] * 3,
            *[partial(incoming.process, event_id=event_id, now=timezone.now()) for event_id in ids],
        ]
    )

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert {job.escrow.state for job in jobs} == {EscrowState.FUNDED}
    assert [job.history().count("funded") for job in jobs] == [1] * 6
    assert [held(f"escrow:{job.escrow.pk}") for job in jobs] == [10_000] * 6
    assert (
        in_state(EventState.RECEIVED)
        == IncomingEvent.objects.filter(state="received").exclude(subject="payment").count()
    )
