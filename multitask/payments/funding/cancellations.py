"""Cancellation of an unpaid escrow, and of its payment at the provider."""

from datetime import datetime, timedelta
from typing import Any, Final

from multitask import database
from multitask.payments.authorization import locks, rate_limits
from multitask.payments.books import audit, history
from multitask.payments.funding import payment_results, unnamed_tries
from multitask.payments.models import Escrow, Operation, Payment
from multitask.payments.operations import engine
from multitask.payments.provider import (
    ABSENT,
    Collects,
    Found,
    Provider,
    ProviderError,
    Rejected,
    Search,
    Unavailable,
    Unknown,
    supporting,
)
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider.errors import PAID_BY_UNNAMED
from multitask.payments.states import (
    OPEN_OPERATIONS,
    EscrowState,
    HistoryStatus,
    OperationState,
    PaymentState,
    require,
)
from multitask.users.actor import Actor

CANCEL_PAYMENT: Final = "cancel_payment"
NOTHING_TO_CANCEL: Final = "nothing_to_cancel"
AGAIN_AFTER: Final = timedelta(days=1)


def cancel_unpaid(escrow: Escrow, *, actor: Actor, now: datetime) -> None:
    """Cancel an unpaid escrow and its pending payments; the caller holds the lock."""
    require(escrow.escrow_state, EscrowState.CANCELLED)
    escrow.state, escrow.cancelled_at = EscrowState.CANCELLED.value, now
    escrow.save(update_fields=["state", "cancelled_at"])
    audit.record("cancelled", actor=actor, now=now, escrow=escrow)
    for payment in escrow.payments.filter(state=PaymentState.PENDING.value):
        begin(escrow, payment, now=now)


def begin(escrow: Escrow, payment: Payment, *, now: datetime) -> None:
    """Cancel a pending payment at the provider, unless that is under way; the caller holds the escrow's lock.

    A refused cancellation is repeated after a day: a payment that was being processed may have failed meanwhile. One of
    which only the try that paid is not known waits for the staff.
    """
    if payment.provider_status == unnamed_tries.STATUS:
        return
    before = engine.latest(CANCEL_PAYMENT, payment.pk)
    if before is not None and not _was_refused_long_ago(before, now):
        return
    sequence = 1 if before is None else before.sequence + 1
    engine.begin(
        CANCEL_PAYMENT,
        subject_id=payment.pk,
        provider=payment.provider,
        escrow=escrow,
        now=now,
        sequence=sequence,
    )


def _was_refused_long_ago(operation: Operation, now: datetime) -> bool:
    is_refused = operation.state == OperationState.FAILED.value
    return is_refused and operation.finished_at is not None and operation.finished_at <= now - AGAIN_AFTER


def has_expired(payment: Payment, now: datetime) -> bool:
    """Return whether a pending payment cannot be begun any more, at a provider where payments only expire."""
    lifetime = engine.provider_named(payment.provider).capabilities.payments_expire_after
    is_paid = payment.state != PaymentState.PENDING.value or payment.provider_status == unnamed_tries.STATUS
    if lifetime is None or is_paid:
        return False
    creation = engine.latest(payment_results.CREATE_PAYMENT, payment.pk)
    return creation is not None and creation.finished_at is not None and creation.finished_at + lifetime < now


def replace(escrow: Escrow, payment: Payment, *, now: datetime) -> engine.Call:
    """Return the call that cancels an expired payment, so that another can be made; its client waits for it.

    The caller holds the escrow's lock, and makes the call after its commit. Raises TooManyRequests.
    """
    before = engine.latest(CANCEL_PAYMENT, payment.pk)
    if before is not None and OperationState(before.state) in OPEN_OPERATIONS:
        return engine.Call(before)
    sequence = 1 if before is None else before.sequence + 1
    key = f"cancel:{payment.pk}:{sequence}"
    rate_limits.count(user_id=escrow.client_id, purpose=rate_limits.Purpose.PAYMENT, key=key, now=now)
    return engine.begin_claimed(
        CANCEL_PAYMENT,
        subject_id=payment.pk,
        provider=payment.provider,
        escrow=escrow,
        now=now,
        sequence=sequence,
    )


def left_open(*, now: datetime) -> list[int]:
    """Return the ids of pending payments of cancelled escrows, whose cancellation was refused at first."""
    left = Payment.objects.filter(state=PaymentState.PENDING.value, escrow__state=EscrowState.CANCELLED.value)
    return list(left.filter(escrow__cancelled_at__lte=now - AGAIN_AFTER).order_by("pk").values_list("pk", flat=True))


@database.transactional
def repeat(*, payment_id: int, now: datetime) -> None:
    """Cancel a payment at the provider once more if the last attempt was refused long enough ago."""
    seen = Payment.objects.get(pk=payment_id)
    escrow = locks.lock_by_id(seen.escrow_id)
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment_id)
    if payment.state == PaymentState.PENDING.value and escrow.escrow_state is EscrowState.CANCELLED:
        begin(escrow, payment, now=now)


class CancelPayment:
    """Performs `cancel_payment`. If the payment succeeds first, its confirmation refunds it."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayment:
        """Cancel the payment. Its id is unknown while the outcome of its creation is."""
        payment = Payment.objects.get(pk=operation.subject_id)
        if payment.provider_payment_id is None:
            raise _not_there(payment, operation)
        creation = engine.latest(payment_results.CREATE_PAYMENT, payment.pk)
        return supporting(provider, Collects).cancel_payment(
            payment_id=payment.provider_payment_id,
            key=operation.key,
            created_by=None if creation is None else creation.finished_at,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayment]:
        """Return the payment's state if it is final: cancelled or succeeded."""
        payment = Payment.objects.get(pk=operation.subject_id)
        if payment.provider_payment_id is None:
            return ABSENT
        state = _read(supporting(provider, Collects), payment, payment.provider_payment_id)
        return Found(state) if state.status.value in {"cancelled", "succeeded"} else ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it."""
        payment_results.confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Mark a payment that was never created as cancelled. If it was paid first, its confirmation refunds it."""
        if error.code != NOTHING_TO_CANCEL:
            return
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        payment = Payment.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        # While the escrow is unpaid, its client may have asked to pay again meanwhile.
        is_created_anew = _is_being_created(payment)
        if payment.state == PaymentState.PENDING.value and not is_created_anew:
            payment.state = PaymentState.CANCELLED.value
            payment.save(update_fields=["state"])
            history.deposit_became(escrow, payment, HistoryStatus.CANCELLED, now)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""


def _is_being_created(payment: Payment) -> bool:
    creation = engine.latest(payment_results.CREATE_PAYMENT, payment.pk)
    return creation is not None and creation.state != OperationState.FAILED.value


def _not_there(payment: Payment, operation: Operation) -> ProviderError:
    creation = engine.latest(payment_results.CREATE_PAYMENT, payment.pk)
    now = operation.sent_at or operation.created_at
    if creation is None or creation.state == OperationState.FAILED.value:
        return Rejected(NOTHING_TO_CANCEL, "The payment was never created.")
    if engine.withdraw(creation, code=payment_results.CALLED_OFF, now=now):
        return Rejected(NOTHING_TO_CANCEL, "The payment was never created.")
    return Unavailable("awaits_creation", "The payment's creation is not answered yet.")


def _read(collects: Collects, payment: Payment, payment_id: str) -> ProviderPayment:
    """Read a payment; where its last try did not pay, by the one that did, if that is known."""
    try:
        return collects.read_payment(payment_id)
    except Unknown as error:
        paid_try = payment_results.paid_try(payment.provider, payment_id)
        if error.code != PAID_BY_UNNAMED or not paid_try:
            raise
        return collects.read_payment(paid_try)
