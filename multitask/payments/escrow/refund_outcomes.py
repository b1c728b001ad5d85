"""Refunds at the provider: the call, and the effect of its outcome on refund, escrow and ledger."""

from datetime import datetime
from typing import Any, Final

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import milestone_states
from multitask.payments.models import Escrow, Operation, Refund
from multitask.payments.operations import engine, references
from multitask.payments.provider import Provider, ProviderError, Refunds, RefundStatus, Search, supporting
from multitask.payments.provider import RefundState as ProviderRefund
from multitask.payments.states import (
    EscrowState,
    HistoryStatus,
    MilestoneState,
    PaymentState,
    RefundState,
    may,
    require,
)
from multitask.users.actor import Actor

CREATE_REFUND: Final = "create_refund"
_SYSTEM: Final = Actor.system("provider")


@database.transactional
def confirm(provider: str, state: ProviderRefund, now: datetime) -> None:
    """Apply the provider's state of a refund. Raises UnknownObject."""
    refund_id = _known(provider, state)
    if refund_id is None:
        raise UnknownObject(detail=state.id)
    escrow_id = Refund.objects.values_list("escrow_id", flat=True).get(pk=refund_id)
    escrow = locks.lock_by_id(escrow_id)
    refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
    refund.provider_refund_id = refund.provider_refund_id or state.id
    refund.save(update_fields=["provider_refund_id"])
    if state.status is RefundStatus.SUCCEEDED:
        _succeeded(escrow, refund, now)
    elif state.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
        fail(escrow, refund, state.failure_code, state.failure_message, now)


def _known(provider: str, state: ProviderRefund) -> int | None:
    wanted = references.object_filter("provider_refund_id", state.id, state.reference, CREATE_REFUND)
    return (
        Refund.objects.filter(wanted, provider=provider)
        .order_by("provider_refund_id")
        .values_list("pk", flat=True)
        .first()
    )


def _succeeded(escrow: Escrow, refund: Refund, now: datetime) -> None:
    if not may(RefundState(refund.state), RefundState.SUCCEEDED):
        return
    refund.state = RefundState.SUCCEEDED.value
    refund.processed_at = now
    refund.save(update_fields=["state", "processed_at"])
    if refund.source == "unapplied":
        _payment_became(refund, PaymentState.RETURNED)
    else:
        escrow.refunded_minor += refund.amount_minor
        if not escrow.remaining.amount_minor:
            _close(escrow, now)
        escrow.save()
    history.refund_became(escrow, refund, HistoryStatus.COMPLETED, now)
    audit.record("refunded", actor=_SYSTEM, now=now, escrow=escrow, amount=refund.amount)
    postings.pay_refund(refund, escrow.provider, now)


def _close(escrow: Escrow, now: datetime) -> None:
    escrow.refunded_at = now
    if escrow.state != EscrowState.RELEASED.value:
        require(escrow.escrow_state, EscrowState.REFUNDED)
        escrow.state = EscrowState.REFUNDED.value
        milestone_states.close(escrow.milestone, MilestoneState.CANCELLED, now)


def fail(escrow: Escrow, refund: Refund, code: str, reason: str, now: datetime) -> None:
    """Return the money to its source; the caller holds the locks.

    If the escrow was released meanwhile, the money stays in the refund's own ledger account until staff retries.
    """
    if not may(RefundState(refund.state), RefundState.FAILED):
        return
    was_paid = refund.state == RefundState.SUCCEEDED.value
    refund.state = RefundState.FAILED.value
    refund.failure_code = code
    refund.failure_reason = _explanation(refund, code, reason)
    refund.processed_at = now
    refund.holds_money = refund.source == "escrow" and escrow.state == EscrowState.RELEASED.value
    refund.save()
    if was_paid:
        _undo(escrow, refund, now)
    if refund.source == "escrow" and escrow.auto_release_at is not None:
        # A refund was decided, so the rest must not be released to the freelancer without a new decision.
        escrow.auto_release_at = None
        escrow.save(update_fields=["auto_release_at"])
    history.refund_became(escrow, refund, HistoryStatus.FAILED, now, reason=refund.failure_reason)
    audit.record(
        "refund_failed",
        actor=_SYSTEM,
        now=now,
        escrow=escrow,
        amount=refund.amount,
        note=refund.failure_reason,
    )
    if not refund.holds_money:
        postings.release_refund(refund, now)


def _undo(escrow: Escrow, refund: Refund, now: datetime) -> None:
    if refund.source == "unapplied":
        _payment_became(refund, PaymentState.REVIEW)
    else:
        escrow.refunded_minor -= refund.amount_minor
        escrow.refunded_at = None
        if escrow.state == EscrowState.REFUNDED.value:
            require(escrow.escrow_state, EscrowState.FUNDED)
            escrow.state = EscrowState.FUNDED.value
        escrow.save()
    postings.unpay_refund(refund, escrow.provider, now)


def _payment_became(refund: Refund, state: PaymentState) -> None:
    require(PaymentState(refund.payment.state), state)
    refund.payment.state = state.value
    refund.payment.save(update_fields=["state"])


def send(escrow: Escrow, refund: Refund, now: datetime, *, carried_from: Refund | None = None) -> None:
    """Reserve the money and create the operation. The money comes from `carried_from`, a failed refund, if given."""
    history.refund_started(escrow, refund, now)
    engine.begin(
        CREATE_REFUND,
        subject_id=refund.pk,
        provider=refund.provider,
        escrow=escrow,
        now=now,
        arguments={
            "payment_id": refund.payment.provider_payment_id,
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
        },
    )
    if carried_from is None:
        postings.reserve_refund(refund, now)
    else:
        postings.carry_refund(carried_from, refund, now)


def retry_key(refund: Refund) -> str:
    """Return the request key of the only refund that may retry this failed one."""
    return f"resend:{refund.pk}"


def resend(escrow: Escrow, refund: Refund, *, actor: Actor, now: datetime, note: str = "") -> Refund:
    """Create a new refund from the money that the failed refund still holds."""
    new_refund = Refund.objects.create(
        escrow=escrow,
        payment=refund.payment,
        provider=refund.provider,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        state=RefundState.PENDING.value,
        reason=refund.reason,
        note=note,
        requested_by_id=actor.user_id,
        decided_by_id=actor.user_id,
        request_key=retry_key(refund),
        created_at=now,
        decided_at=now,
    )
    refund.holds_money = False
    refund.save(update_fields=["holds_money"])
    audit.record("refund_retried", actor=actor, now=now, escrow=escrow, amount=refund.amount, note=note)
    send(escrow, new_refund, now, carried_from=refund)
    return new_refund


def _explanation(refund: Refund, code: str, reason: str) -> str:
    """Return a message for users that explains the failure."""
    return engine.provider_for(refund.provider, Refunds).refund_failure(code, reason).sentence


class CreateRefund:
    """Performs `create_refund`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderRefund:
        """Create the refund."""
        wanted = operation.arguments
        return supporting(provider, Refunds).create_refund(
            reference=operation.reference,
            payment_id=wanted["payment_id"],
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderRefund]:
        """Look for the refund of an earlier attempt."""
        refunds = supporting(provider, Refunds)
        return refunds.find_refund(reference=operation.reference, payment_id=operation.arguments["payment_id"])

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the refund may still be pending."""
        confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Return the money to its source."""
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        refund = Refund.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        fail(escrow, refund, error.code, error.message, now)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""
