"""Escrows, withdrawals, calls and webhooks in the states that staff handles."""

import itertools
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from multitask import ledger
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import matching, reconciliation, statement
from multitask.payments.escrow import disputes
from multitask.payments.losses import adjustments, chargebacks, evidence, fraud_warnings
from multitask.payments.models import (
    Chargeback,
    Dispute,
    EvidenceFile,
    FraudWarning,
    Operation,
    Payment,
    ProviderAccount,
    Refund,
    StatementLine,
    Withdrawal,
)
from multitask.payments.provider import EvidenceDocument, LineKind, Rejected, StatementEntry, Subject
from multitask.users.actor import Actor
from multitask.webhooks.models import EventState, IncomingEvent
from tests.payments_world import Job, World, dollars, user_id

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


def contested(world: World, *, verdict: str = "") -> Chargeback:
    """The cardholder's bank contests a payment, and perhaps has decided."""
    job = world.delivered()
    dispute = str(world.sandbox.control("POST", "disputes", {"charge": job.charge_id})["id"])
    if verdict:
        world.sandbox.control("POST", f"disputes/{dispute}", {"outcome": verdict})
    chargebacks.confirm("stripe", world.provider.read_dispute(dispute), world.now)
    return Chargeback.objects.get(provider_dispute_id=dispute)


def evidence_file(world: World) -> EvidenceFile:
    """A file of the evidence about a chargeback."""
    return evidence.add_file(
        actor=world.staff(),
        chargeback_id=contested(world).pk,
        document=EvidenceDocument.RECEIPT,
        name="receipt.pdf",
        content=b"%PDF-1.7 a receipt",
        now=world.now,
    )


def suspected(world: World) -> FraudWarning:
    """The bank of a card suspects fraud."""
    job = world.delivered()
    made = world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    fraud_warnings.confirm("stripe", world.provider.read_fraud_warning(made["id"]), world.now)
    return FraudWarning.objects.get(provider_warning_id=made["id"])


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


def open_line(world: World, amount: Money | None = None) -> StatementLine:
    """The provider has taken money from the platform's account, and nobody knows why."""
    statement.add_accounts(["stripe"], world.now)
    platform, moved, name = ProviderAccount.objects.get(account=None), amount or dollars("-12.34"), next(_numbers)
    entry = StatementEntry(
        id=f"txn_scene{name}", kind=LineKind.ADJUSTMENT, source_id="", subject=Subject.NOTHING, object_id="",
        amount=moved, fee=Money.zero(moved.currency), created_at=world.now, description="Adjustment by the provider",
    )  # fmt: skip
    statement.store(account=platform, entries=[entry], cursor="", now=world.now)
    matching.match(account=platform, sources=[entry.id], read=[entry.id], now=world.now)
    return StatementLine.objects.get(provider_line_id=entry.id)


def compared(world: World, *, missing: Money) -> None:
    """The platform's account was compared, and the provider has more than the books."""
    platform = ProviderAccount.objects.get(account=None)
    reconciliation.compare(
        account=platform, closed=ledger.closed_until(), unstated={missing.currency: missing.amount_minor}, now=world.now
    )


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


def reversal_and_debt(world: World) -> Job:
    """A transfer was reversed at the provider; its freelancer owes what finance took from them."""
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("-5.00"), note="Paid twice", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    return job


def refusing(part: type[Any]) -> Any:
    """Stand for a provider that refuses such a call for good, which the offline one has no cause to do."""

    def refuse(*_: Any) -> Any:
        raise Rejected("refused", "Refused")

    patch = pytest.MonkeyPatch()
    patch.setattr(part, "call", refuse)
    return patch
