"""Escrows, withdrawals, calls and webhooks in the states that staff handles."""

import itertools
import uuid
from datetime import timedelta

from django.utils import timezone

from multitask.money import Money
from multitask.payments.escrow import disputes
from multitask.payments.models import Dispute, Operation, Payment, Refund, Withdrawal
from multitask.users.actor import Actor
from multitask.webhooks.models import EventState, IncomingEvent
from tests.payments_world import Job, World, dollars

LARGE = dollars("2500.00")
# A bank account that was closed, to the offline Stripe as to the real one.
CLOSED_BANK = "000111111113"
_numbers = itertools.count(1)


def refund_of(world: World, job: Job, amount: Money | None = None) -> Refund:
    """A refund that the freelancer made at once, sent to the provider."""
    world.refund(job, job.freelancer, amount)
    world.work()
    return job.refund


def failed_refund(world: World) -> Job:
    """The card's bank did not take the refund."""
    job = world.completed()
    refund_of(world, job, dollars("40.00"))
    world.sandbox.control(
        "POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "expired_or_canceled_card"}
    )
    world.learn_of_refund(job.refund)
    return job


def refused_transfer(world: World) -> tuple[Job, str]:
    """The provider refused to send the share, and the object that stands in its way."""
    job = world.completed()
    account = str(world.account(job.freelancer).provider_account_id)
    blocking = world.at_provider(
        "transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id
    )
    world.release(job)
    world.work()
    return job, str(blocking["id"])


def payment_under_review(world: World) -> Job:
    """Less arrived than was asked for."""
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    return job


def disputed(world: World, amount: Money | None = None) -> tuple[Job, Dispute]:
    """The client does not agree with what was delivered."""
    job = world.delivered(amount)
    dispute = disputes.open_dispute(
        actor=job.client, escrow_id=job.escrow.pk, reason="The logo is a square, not round.", now=world.now
    )
    return job, dispute


def failed_withdrawal(world: World) -> tuple[Actor, Withdrawal]:
    """A payout that the bank sent back."""
    freelancer = world.freelancer(bank=CLOSED_BANK)
    world.settled(freelancer=freelancer)
    withdrawal = world.withdrawn(freelancer, dollars("60.00"))
    return freelancer, world.arrive(withdrawal)


def stuck_transfer(world: World) -> Job:
    """The answer to a transfer was lost, and nobody has tried again for a quarter of an hour."""
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.work()
    Operation.objects.filter(pk=job.transfer.pk).update(next_attempt_at=timezone.now() - timedelta(minutes=15))
    return job


def event(world: World, *, state: EventState = EventState.FAILED, object_id: str = "", **fields: str) -> IncomingEvent:
    """A stored event, as processing left it."""
    return IncomingEvent.objects.create(
        provider="stripe",
        event_id=f"evt_scene{next(_numbers)}{uuid.uuid4().hex[:8]}",
        kind=fields.get("kind", "payment_intent.succeeded"),
        subject=fields.get("subject", "payment"),
        object_id=object_id,
        payload='{"id": "evt_1", "data": {"object": {"client_secret": "pi_1_secret_9", "amount": 100}}}',
        received_at=timezone.now() - timedelta(minutes=20),
        waiting_since=timezone.now(),
        next_attempt_at=timezone.now(),
        state=state,
        attempts=4,
        last_error=fields.get("last_error", "unknown_object: pi_x"),
    )


def paid(job: Job) -> Payment:
    """The payment that is in escrow."""
    return Payment.objects.get(escrow__agreement__task=job.task_id, state="succeeded")
