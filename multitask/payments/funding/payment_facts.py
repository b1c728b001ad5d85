"""What a payment's row keeps of the provider's state, whatever the payment does to its escrow."""

from datetime import datetime

from multitask import ledger
from multitask.payments.books import postings
from multitask.payments.models import Payment
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider import PaymentStatus
from multitask.payments.states import PaymentState


def note(payment: Payment, state: ProviderPayment) -> None:
    """Set facts that become known once and then never change; the caller saves the payment.

    How money came is known once it has: a later try to pay, such as a declined one, shows nothing about it.
    """
    payment.provider_payment_id = state.id
    if state.continuation is not None:
        payment.payer_token = payment.payer_token or state.continuation.token
    payment.available_at = state.available_at or payment.available_at
    if state.status is PaymentStatus.SUCCEEDED:
        payment.provider_collection_id = payment.provider_collection_id or state.collection_id
        if payment.succeeded_at is None:
            payment.is_refundable = state.is_refundable
    if payment.state == PaymentState.PENDING.value:
        payment.provider_status = state.status.value


def note_fee(payment: Payment, state: ProviderPayment, now: datetime) -> list[ledger.Request]:
    """Set the provider's fee once, and return its posting, if any; it may become known after the payment."""
    if state.fee is None or payment.fee_minor is not None:
        return []
    payment.fee_minor = state.fee.amount_minor
    payment.fee_currency = state.fee.currency
    return [postings.processing_fee(payment, state.fee, now)] if state.fee.amount_minor else []
