"""Confirmations of payments: the provider's state of a payment is applied here, and only here is an escrow funded."""

from datetime import datetime
from typing import Final

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import milestone_states
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Escrow, Payment
from multitask.payments.operations import references
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider import (
    PaymentStatus,
)
from multitask.payments.states import EscrowState, HistoryStatus, MilestoneState, PaymentState, require
from multitask.users.actor import Actor

CREATE_PAYMENT: Final = "create_payment"


_SYSTEM = Actor.system("provider")


@database.transactional
def confirm(provider: str, state: ProviderPayment, now: datetime) -> None:
    """Apply the provider's state of a payment; only this funds an escrow. Raises UnknownObject."""
    known = _known(provider, state)
    if known is None:
        raise UnknownObject(detail=state.id)
    payment_id, escrow_id = known
    escrow = locks.lock_by_id(escrow_id)
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment_id)
    _note(payment, state)
    _name(escrow, payment)
    if state.status is PaymentStatus.SUCCEEDED:
        _received(escrow, payment, state, now)
        _record_fee(payment, state, now)
    elif state.status is PaymentStatus.CANCELLED and payment.state == PaymentState.PENDING.value:
        payment.state = PaymentState.CANCELLED.value
        history.deposit_became(escrow, payment, HistoryStatus.CANCELLED, now)
        audit.record("payment_cancelled", actor=_SYSTEM, now=now, escrow=escrow)
    elif state.failure_code and state.failure_code != payment.failure_code:
        audit.record("payment_failed", actor=_SYSTEM, now=now, escrow=escrow, note=state.failure_message)
    payment.failure_code = state.failure_code
    payment.failure_reason = state.failure_message
    payment.save()


def _known(provider: str, state: ProviderPayment) -> tuple[int, int] | None:
    """Return the ids of the payment and its escrow, or None."""
    wanted = references.object_filter("provider_payment_id", state.id, state.reference, CREATE_PAYMENT)
    # Nulls sort last, so a row with the id comes before one without.
    found = Payment.objects.filter(wanted, provider=provider).order_by("provider_payment_id")
    return found.values_list("pk", "escrow_id").first()


def _note(payment: Payment, state: ProviderPayment) -> None:
    """Store facts that become known once and then never change."""
    payment.provider_payment_id = state.id
    if state.continuation is not None:
        payment.payer_token = payment.payer_token or state.continuation.token
    payment.provider_collection_id = state.collection_id or payment.provider_collection_id
    payment.available_at = state.available_at or payment.available_at
    if payment.state == PaymentState.PENDING.value:
        payment.provider_status = state.status.value


def _name(escrow: Escrow, payment: Payment) -> None:
    """Set the escrow's payment id: that of the payment that funded it, until then of the newest."""
    assert payment.provider_payment_id is not None  # noqa: S101
    if _awaits(escrow) and escrow.provider_payment_id != payment.provider_payment_id:
        escrow.provider_payment_id = payment.provider_payment_id
        escrow.save(update_fields=["provider_payment_id"])


def _received(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Fund the escrow if the received amount is the expected one, else set the payment aside."""
    if payment.state not in {PaymentState.PENDING.value, PaymentState.CANCELLED.value}:
        return
    received = state.received if state.received is not None else state.amount
    payment.received_minor = received.amount_minor
    payment.received_currency = received.currency
    payment.succeeded_at = now
    payment.provider_status = state.status.value
    if received != Money(payment.amount_minor, payment.currency):
        unapplied_payments.set_aside(escrow, payment, received, "amount_mismatch", now)
    elif payment.state == PaymentState.CANCELLED.value or not _awaits(escrow):
        unapplied_payments.set_aside(escrow, payment, received, "second_payment", now)
        unapplied_payments.send_back(escrow, payment, received, actor=_SYSTEM, now=now)
    else:
        _fund(escrow, payment, received, now)


def _awaits(escrow: Escrow) -> bool:
    return escrow.escrow_state is EscrowState.PENDING_PAYMENT


def _fund(escrow: Escrow, payment: Payment, received: Money, now: datetime) -> None:
    require(escrow.escrow_state, EscrowState.FUNDED)
    payment.state = PaymentState.SUCCEEDED.value
    escrow.state = EscrowState.FUNDED.value
    escrow.funded_at = now
    escrow.save(update_fields=["state", "funded_at"])
    if escrow.milestone.milestone_state is MilestoneState.AGREED:
        milestone_states.advance(escrow.milestone, MilestoneState.FUNDED, now)
    history.deposit_became(escrow, payment, HistoryStatus.COMPLETED, now)
    audit.record("funded", actor=_SYSTEM, now=now, escrow=escrow, amount=received)
    postings.fund(escrow, payment, received, now)


def _record_fee(payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Post the provider's fee once; it may become known after the payment."""
    if state.fee is None or payment.fee_minor is not None:
        return
    payment.fee_minor = state.fee.amount_minor
    payment.fee_currency = state.fee.currency
    if state.fee.amount_minor:
        postings.processing_fee(payment, state.fee, now)
