"""Refunds at the provider: the call, and the effect of its outcome on refund, escrow and ledger."""

from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet, Sum

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history, loss_history, refund_postings
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import milestone_states, unapplied
from multitask.payments.models import Escrow, Loss, Operation, Refund
from multitask.payments.operations import engine, held_calls, references
from multitask.payments.provider import Disburses, Provider, ProviderError, Refunds, RefundStatus, Search, supporting
from multitask.payments.provider import RefundState as ProviderRefund
from multitask.payments.states import (
    EscrowState,
    HistoryStatus,
    MilestoneState,
    OperationState,
    RefundState,
    may,
    require,
)
from multitask.users.actor import Actor

CREATE_REFUND: Final = "create_refund"
AWAITS_REFUND: Final = "awaits_refund"
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
        _succeeded(escrow, refund, state.settled, now)
    elif state.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
        fail(escrow, refund, state.failure_code, state.failure_message, now, at_provider=state)


def _known(provider: str, state: ProviderRefund) -> int | None:
    wanted = references.object_filter("provider_refund_id", state.id, state.reference, CREATE_REFUND)
    return (
        Refund.objects.filter(wanted, provider=provider)
        .order_by("provider_refund_id")
        .values_list("pk", flat=True)
        .first()
    )


def _succeeded(escrow: Escrow, refund: Refund, settled: Money | None, now: datetime) -> None:
    if not may(RefundState(refund.state), RefundState.SUCCEEDED):
        return
    _mark_paid(escrow, refund, now)
    audit.record("refunded", actor=_SYSTEM, now=now, escrow=escrow, amount=refund.amount)
    refund_postings.pay(refund, escrow.provider, settled, now)


def _mark_paid(escrow: Escrow, refund: Refund, now: datetime) -> None:
    """Mark an open refund paid, and close its escrow if nothing is left of it; the caller posts the payment."""
    refund.state = RefundState.SUCCEEDED.value
    refund.processed_at = now
    refund.save(update_fields=["state", "processed_at", "is_by_bank"])
    if refund.source == "unapplied":
        unapplied.close(refund.payment)
    elif refund.source == "escrow":
        escrow.refunded_minor += refund.amount_minor
        if not escrow.remaining.amount_minor:
            _close(escrow, now)
        escrow.save()
    history.refund_became(escrow, refund, HistoryStatus.COMPLETED, now)


def _close(escrow: Escrow, now: datetime) -> None:
    escrow.refunded_at = now
    if escrow.state != EscrowState.RELEASED.value:
        require(escrow.escrow_state, EscrowState.REFUNDED)
        escrow.state = EscrowState.REFUNDED.value
        milestone_states.close(escrow.milestone, MilestoneState.CANCELLED, now)


def fail(
    escrow: Escrow, refund: Refund, code: str, reason: str, now: datetime, *, at_provider: ProviderRefund | None = None
) -> None:
    """Return the money to its source; the caller holds the locks. `at_provider` is a refund that was made there.

    If the escrow was released meanwhile, the money stays in the refund's own ledger account until staff retries.
    """
    if not may(RefundState(refund.state), RefundState.FAILED):
        return
    was_paid = refund.state == RefundState.SUCCEEDED.value
    refund.state = RefundState.FAILED.value
    refund.failure_code = code
    refund.failure_reason = _explanation(refund, code, reason)
    refund.processed_at = now
    is_released = refund.source == "escrow" and escrow.state == EscrowState.RELEASED.value
    refund.holds_money = is_released or refund.source == "released"
    refund.save()
    if was_paid:
        _undo(escrow, refund, at_provider, now)
    elif at_provider is not None and at_provider.settled != at_provider.returned is not None:
        # It left and came back before it was known here, at two rates.
        refund_postings.pay(refund, escrow.provider, at_provider.settled, now)
        refund_postings.unpay(refund, escrow.provider, at_provider.returned, now)
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
        refund_postings.release(refund, now)


def _undo(escrow: Escrow, refund: Refund, at_provider: ProviderRefund | None, now: datetime) -> None:
    if refund.source == "unapplied":
        unapplied.reopen(refund.payment)
    elif refund.source == "escrow":
        escrow.refunded_minor -= refund.amount_minor
        escrow.refunded_at = None
        if escrow.escrow_state in {EscrowState.REFUNDED, EscrowState.CHARGED_BACK}:
            require(escrow.escrow_state, EscrowState.FUNDED)
            escrow.state = EscrowState.FUNDED.value
        escrow.save()
    returned = None if at_provider is None else at_provider.returned or at_provider.settled
    refund_postings.unpay(refund, escrow.provider, returned, now)


def send(escrow: Escrow, refund: Refund, now: datetime, *, carried_from: Refund | None = None) -> None:
    """Reserve the money and create the operation. The money comes from `carried_from`, a failed refund, if given."""
    begin_call(escrow, refund, now)
    if carried_from is None:
        refund_postings.reserve(refund, now)
    else:
        refund_postings.carry(carried_from, refund, now)


def begin_call(escrow: Escrow, refund: Refund, now: datetime) -> None:
    """Create the operation of a refund, whose money the caller reserves.

    Where the provider cannot send it back, `refund_payouts` pays it out to the client instead.
    """
    history.refund_started(escrow, refund, now)
    if not refund.payment.is_refundable:
        return
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


def supersede_request(escrow: Escrow, left: Money, now: datetime) -> None:
    """Withdraw the client's refund request if what is left of the escrow no longer covers it."""
    asked = escrow.refunds.filter(source="escrow", state=RefundState.REQUESTED.value).first()
    if asked is None or asked.amount <= left:
        return
    asked.state, asked.decided_at = RefundState.WITHDRAWN.value, now
    asked.save(update_fields=["state", "decided_at"])
    audit.record("refund_superseded", actor=_SYSTEM, now=now, escrow=escrow, amount=asked.amount)


def retry_key(refund: Refund) -> str:
    """Return the request key of the only refund that may retry this failed one."""
    return f"resend:{refund.pk}"


def resend(escrow: Escrow, refund: Refund, *, actor: Actor, now: datetime, note: str = "") -> Refund:
    """Create a new refund from the money that the failed refund still holds."""
    new_refund = _successor(escrow, refund, RefundState.PENDING, actor, note, now)
    audit.record("refund_retried", actor=actor, now=now, escrow=escrow, amount=refund.amount, note=note)
    send(escrow, new_refund, now, carried_from=refund)
    return new_refund


def pay_by_bank(escrow: Escrow, refund: Refund, *, actor: Actor, now: datetime, note: str) -> Refund:
    """Record that the platform has paid a failed refund from its own bank; the caller holds the locks.

    That is a new refund, which has succeeded. The money that the failed one holds, or that went back to a payment which
    fits no escrow, becomes the platform's own.
    """
    held_it = refund.holds_money
    paid = _successor(escrow, refund, RefundState.SUCCEEDED, actor, note, now)
    if paid.source == "escrow":
        escrow.refunded_minor += paid.amount_minor
        escrow.save(update_fields=["refunded_minor"])
    history.refund_started(escrow, paid, now)
    history.refund_became(escrow, paid, HistoryStatus.COMPLETED, now)
    audit.record("refund_paid_by_bank", actor=actor, now=now, escrow=escrow, amount=paid.amount, note=note)
    if held_it:
        refund_postings.carry(refund, paid, now)
    else:
        refund_postings.reserve(paid, now)
    refund_postings.pay_by_bank(paid, now)
    if paid.source == "unapplied":
        unapplied.close(paid.payment)
    return paid


def pay_pending_by_bank(escrow: Escrow, refund: Refund, *, actor: Actor, now: datetime, note: str) -> None:
    """Record that the platform has paid a refund from its own bank whose payout has not begun.

    The caller holds the locks. The money that was set aside for it becomes the platform's own.
    """
    require(RefundState(refund.state), RefundState.SUCCEEDED)
    refund.is_by_bank = True
    _mark_paid(escrow, refund, now)
    audit.record("refund_paid_by_bank", actor=actor, now=now, escrow=escrow, amount=refund.amount, note=note)
    refund_postings.pay_by_bank(refund, now)


def _successor(escrow: Escrow, refund: Refund, state: RefundState, actor: Actor, note: str, now: datetime) -> Refund:
    """Create the refund that takes over the money, and the loss, of one that failed."""
    is_paid = state is RefundState.SUCCEEDED
    new_refund = Refund.objects.create(
        escrow=escrow,
        payment=refund.payment,
        source=refund.source,
        provider=refund.provider,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        booked_minor=refund.booked_minor,
        booked_currency=refund.booked_currency,
        state=state.value,
        is_by_bank=is_paid,
        processed_at=now if is_paid else None,
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
    if refund.source == "released":
        # The loss follows its money, so that it can be undone if this attempt fails too.
        Loss.objects.filter(refund=refund, reversed_at=None).update(refund=new_refund)
        loss_history.share_carried(escrow, refund, new_refund)
    return new_refund


def _explanation(refund: Refund, code: str, reason: str) -> str:
    """Return a message for users that explains the failure."""
    if not refund.payment.is_refundable:
        return engine.provider_for(refund.provider, Disburses).payout_failure(code, reason).sentence
    return engine.provider_for(refund.provider, Refunds).refund_failure(code, reason).sentence


class CreateRefund:
    """Performs `create_refund`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderRefund:
        """Create the refund."""
        wanted = operation.arguments
        return supporting(provider, Refunds).create_refund(
            reference=operation.reference,
            payment_id=wanted["payment_id"],
            collection_id=_collection_of(operation),
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderRefund]:
        """Look for the refund of an earlier attempt."""
        wanted = operation.arguments
        # The provider's total does not contain what the platform has paid from its own bank.
        paid = Refund.objects.filter(
            payment__refunds=operation.subject_id, state=RefundState.SUCCEEDED.value, is_by_bank=False
        )
        total = paid.exclude(pk=operation.subject_id).aggregate(sum=Sum("amount_minor"))["sum"] or 0
        return supporting(provider, Refunds).find_refund(
            reference=operation.reference,
            payment_id=wanted["payment_id"],
            collection_id=_collection_of(operation),
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            refunded=Money(total, wanted["currency"]),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the refund may still be pending."""
        confirm(operation.provider, state, now)
        _let_others_go(operation, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Return the money to its source."""
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        refund = Refund.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        fail(escrow, refund, error.code, error.message, now)
        _let_others_go(operation, now)

    def hold(self, operation: Operation) -> str:
        """Return that another refund of the payment is under way at a provider that knows only totals.

        There the outcome of one refund can be found only if no other changes the total meanwhile. The escrow is locked,
        so that of two the second sees the first's claim.
        """
        if not _knows_only_totals(operation):
            return ""
        assert operation.escrow_id is not None  # noqa: S101
        locks.lock_by_id(operation.escrow_id)
        others = _of_same_payment(operation.subject_id).exclude(pk=operation.pk)
        is_busy = others.filter(state__in=[OperationState.SENT.value, OperationState.UNKNOWN.value]).exists()
        return AWAITS_REFUND if is_busy else ""


def _collection_of(operation: Operation) -> str:
    """Return the provider's id of the money that the refund's payment took."""
    found = Refund.objects.values_list("payment__provider_collection_id", flat=True)
    return str(found.get(pk=operation.subject_id))


def _of_same_payment(refund_id: int) -> QuerySet[Operation]:
    """Select the operations of all refunds of a refund's payment."""
    same = Refund.objects.filter(payment__refunds=refund_id)
    return Operation.objects.filter(kind=CREATE_REFUND, subject_id__in=same.values("pk"))


def _knows_only_totals(operation: Operation) -> bool:
    return not engine.provider_named(operation.provider).capabilities.honours_keys


def _let_others_go(operation: Operation, now: datetime) -> None:
    """Have the refunds of the same payment sent that wait for this one, which ends with the transaction."""
    if not _knows_only_totals(operation):
        return
    waiting = _of_same_payment(operation.subject_id).filter(hold=AWAITS_REFUND)
    held_calls.retry(waiting.order_by("pk").values_list("pk", flat=True), now=now)
