"""The audit trail records every action with actor, time, origin and amount, and is append-only."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import Error, connection, transaction

from multitask.marketplace import work
from multitask.payments.authorization import approvals
from multitask.payments.errors import PaymentError
from multitask.payments.escrow import disputes, refunds, releases
from multitask.payments.funding import saved_methods, unapplied_payments
from multitask.payments.models import AuditEvent
from multitask.payments.payouts import transfer_retries, withdrawals
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, user_id

Action = Callable[[World, Job, Actor], Any]


def release(world: World, job: Job, actor: Actor) -> Any:
    return releases.release(actor=actor, escrow_id=job.escrow.pk, now=world.now)


def refund(world: World, job: Job, actor: Actor) -> Any:
    return world.refund(job, actor, dollars("12.34"))


def open_dispute(world: World, job: Job, actor: Actor) -> Any:
    return disputes.open_dispute(actor=actor, escrow_id=job.escrow.pk, reason="Late", now=world.now)


def start(world: World, job: Job, actor: Actor) -> Any:
    return work.start(actor=actor, task_id=job.task_id, now=world.now)


def deliver(world: World, job: Job, actor: Actor) -> Any:
    return work.deliver(actor=actor, task_id=job.task_id, now=world.now)


def complete(world: World, job: Job, actor: Actor) -> Any:
    return work.complete(actor=actor, task_id=job.task_id, now=world.now)


def cancel(world: World, job: Job, actor: Actor) -> Any:
    return work.cancel(actor=actor, task_id=job.task_id, now=world.now)


@pytest.mark.parametrize(
    ("stage", "who", "action", "event", "amount"),
    [
        ("completed", "client", release, "released", 10_000),
        ("funded", "client", refund, "refund_started", 1_234),
        ("started", "client", refund, "refund_requested", 1_234),
        ("started", "freelancer", refund, "refund_started", 1_234),
        ("started", "client", open_dispute, "dispute_opened", None),
        ("started", "freelancer", open_dispute, "dispute_opened", None),
        ("funded", "freelancer", start, "started", None),
        ("started", "freelancer", deliver, "delivered", None),
        ("delivered", "client", complete, "completed", None),
        ("funded", "client", cancel, "task_cancelled", None),
    ],
)
def test_every_action_is_recorded(
    world: World, stage: str, who: str, action: Action, event: str, amount: int | None
) -> None:
    job = getattr(world, stage)()
    actor = replace(getattr(job, who), ip="198.51.100.4", request_id="request-1")
    world.wait(hours=1)
    action(world, job, actor)
    written = AuditEvent.objects.filter(escrow=job.escrow, event=event).get()
    assert (written.actor_id, written.actor_role, written.actor_label) == (actor.user_id, actor.role.value, actor.label)
    assert (written.ip, written.request_id, written.at) == ("198.51.100.4", "request-1", world.now)
    assert written.amount_minor == amount
    assert written.currency == ("USD" if amount else "")


def actions_of_staff(world: World, finance: Actor) -> set[str]:
    """Take every staff action, and return the events recorded for this staff member."""
    job = world.started()
    dispute = open_dispute(world, job, job.client)
    disputes.settle(
        actor=finance,
        dispute_id=dispute.pk,
        client_amount=dollars("50"),
        freelancer_amount=dollars("50"),
        now=world.now,
    )
    large = world.funded(dollars("2000"))
    asked = world.refund(large, world.staff())
    approvals.decide(actor=finance, approval_id=asked.pk, approve=True, now=world.now)
    turned = world.refund(world.funded(dollars("2000")), world.staff())
    approvals.decide(actor=finance, approval_id=turned.pk, approve=False, now=world.now)
    world.refund(world.funded(dollars("2000")), finance)
    release(world, world.funded(), finance)
    retry_a_transfer(world, finance)
    return_a_payment(world, finance)
    return set(AuditEvent.objects.filter(actor_id=finance.user_id).values_list("event", flat=True))


def retry_a_transfer(world: World, finance: Actor) -> None:
    job = world.completed()
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id)
    world.release(job)
    world.work()
    transfer_retries.retry(actor=finance, escrow_id=job.escrow.pk, now=world.now)


def return_a_payment(world: World, finance: Actor) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.learn_of_payment(job)
    unapplied_payments.return_payment(actor=finance, payment_id=job.payment.pk, now=world.now)


def test_every_staff_action_is_recorded_under_the_staff_members_name(world: World) -> None:
    assert actions_of_staff(world, world.staff()) == {
        "dispute_settled", "released", "refund_approved", "refund_started", "refund_turned_down",
        "refund_needs_approval", "transfer_retried", "payment_sent_back",
    }  # fmt: skip


def test_a_withdrawal_is_written_down_with_its_amount(world: World) -> None:
    job = world.settled()
    actor = replace(job.freelancer, ip="198.51.100.4", request_id="request-1")
    made = withdrawals.create(actor=actor, amount=dollars("12.34"), now=world.now)
    written = AuditEvent.objects.get(event="withdrawal_requested")
    assert (written.withdrawal_id, written.user_id, written.amount_minor) == (made.pk, actor.user_id, 1_234)
    assert (written.ip, written.request_id) == ("198.51.100.4", "request-1")


def test_every_event_of_the_provider_is_recorded_under_the_providers_name(world: World) -> None:
    job = world.settled()
    events = AuditEvent.objects.filter(escrow=job.escrow)
    by_label = {event.event: (event.actor_label, event.actor_id) for event in events}
    assert by_label["funded"] == by_label["transferred"] == ("provider", None)
    assert by_label["settled"] == ("settlement", None)


def test_answers_and_withdrawn_requests_are_written_down(world: World) -> None:
    accepted, refused, taken_back = world.started(), world.started(), world.started()
    for job in (accepted, refused, taken_back):
        world.refund(job)
    refunds.answer(actor=accepted.freelancer, refund_id=accepted.refund.pk, accept=True, note="Yes", now=world.now)
    refunds.answer(actor=refused.freelancer, refund_id=refused.refund.pk, accept=False, note="No", now=world.now)
    refunds.withdraw(actor=taken_back.client, refund_id=taken_back.refund.pk, now=world.now)
    for job, event, actor, note in (
        (accepted, "refund_accepted", accepted.freelancer, "Yes"),
        (refused, "refund_refused", refused.freelancer, "No"),
        (taken_back, "refund_withdrawn", taken_back.client, ""),
    ):
        written = AuditEvent.objects.get(escrow=job.escrow, event=event)
        assert (written.actor_id, written.note, written.amount_minor) == (actor.user_id, note, 10_000)


def test_cards_are_written_down_under_their_owner(world: World) -> None:
    client = world.client()
    method = saved_methods.save(actor=client, method_id=world.browser.new_method(), make_default=True, now=world.now)
    saved_methods.delete(actor=client, method_id=method.pk, now=world.now)
    written = AuditEvent.objects.filter(user_id=user_id(client)).order_by("pk")
    assert [(event.event, event.actor_id) for event in written] == [
        ("method_saved", client.user_id),
        ("method_deleted", client.user_id),
    ]


def test_what_is_refused_is_not_written_down_as_done(world: World) -> None:
    job = world.funded()
    before = job.history()
    for action in (lambda: world.release(job), lambda: world.refund(job, job.client, dollars("100.01"))):
        with pytest.raises(PaymentError):
            action()
    assert job.history() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_auditevent SET note = 'something else'",
        "UPDATE payments_auditevent SET at = now() WHERE event = 'funded'",
        "DELETE FROM payments_auditevent",
        "TRUNCATE payments_auditevent CASCADE",
        "TRUNCATE payments_escrow CASCADE",
        "SET LOCAL session_replication_role = replica; DELETE FROM payments_auditevent",
    ],
)
def test_the_trail_is_append_only(world: World, statement: str) -> None:
    job = world.funded()
    before = job.history()
    refused = pytest.raises(Error, match="audit events are never changed")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert job.history() == before
