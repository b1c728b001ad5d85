"""Chargebacks: the cardholder's bank contests a payment, takes the money, and gives it back or not."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from multitask import database
from multitask.payments.authorization import locks
from multitask.payments.books import audit, loss_history, loss_postings
from multitask.payments.errors import UnknownObject
from multitask.payments.losses import booking, holds, positions, reinstatements
from multitask.payments.losses.holds import HARMLESS
from multitask.payments.models import Chargeback, Escrow, Payment
from multitask.payments.provider import ChargebackMovement, ChargebackState, ChargebackStatus
from multitask.payments.states import HistoryStatus, PaymentState
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")
CLOSED: Final = HARMLESS | {ChargebackStatus.LOST}
# These wait for our answer to the bank.
UNANSWERED: Final = frozenset({ChargebackStatus.NEEDS_RESPONSE, ChargebackStatus.WARNING_NEEDS_RESPONSE})


@database.transactional
def confirm(provider: str, state: ChargebackState, now: datetime) -> None:
    """Apply the provider's state of a chargeback: its money, and what it holds. Raises UnknownObject."""
    payment = _payment(provider, state)
    if payment is None:
        raise UnknownObject(detail=state.id)
    escrow = locks.lock_by_id(payment.escrow_id)
    payment.refresh_from_db()
    if payment.state == PaymentState.PENDING.value:
        # The payment itself has to be confirmed first; until then it is not known what the chargeback concerns.
        raise UnknownObject(detail=state.id)
    chargeback = _stored(escrow, payment, provider, state, now)
    for movement in state.movements:
        _move(chargeback, movement, now)
    _apply_status(escrow, chargeback, state, now)
    if chargeback.status in HARMLESS:
        reinstatements.undo_for(escrow, chargeback, now)
        holds.free(escrow, chargeback, now)
    elif booking.is_booked(chargeback):
        reinstatements.follow(escrow, chargeback, now)
    elif positions.is_in_escrow(payment):
        holds.hold(escrow, chargeback, now)
    holds.freeze_or_unfreeze(escrow, now)


def _outcome(state: ChargebackState, taken_minor: int) -> ChargebackStatus:
    """Return how a chargeback stands: once the bank gave money back, what it keeps decides, and not what it says.

    One that was won in part is lost in the rest. One that is lost and of which all came back is won.
    """
    if state.status not in CLOSED or not any(movement.amount.amount_minor > 0 for movement in state.movements):
        return state.status
    if taken_minor > 0:
        return ChargebackStatus.LOST
    return state.status if state.status in HARMLESS else ChargebackStatus.WON


def _stored(escrow: Escrow, payment: Payment, provider: str, state: ChargebackState, now: datetime) -> Chargeback:
    chargeback, created = Chargeback.objects.select_for_update(no_key=True).get_or_create(
        provider=provider,
        provider_dispute_id=state.id,
        defaults={
            "payment": payment,
            "escrow": escrow,
            "status": state.status.value,
            "reason": state.reason,
            "amount_minor": state.amount.amount_minor,
            "currency": state.amount.currency,
            "opened_at": now,
        },
    )
    chargeback.payment = payment
    if created:
        _record_open("chargeback_opened", chargeback, state, now)
        loss_history.chargeback_opened(escrow, chargeback, now)
    return chargeback


def _record_open(event: str, chargeback: Chargeback, state: ChargebackState, now: datetime) -> None:
    details = _details(chargeback)
    if state.evidence_due_at is not None:
        details["answer_by"] = f"{state.evidence_due_at:%Y-%m-%d}"
    audit.record(event, actor=_SYSTEM, now=now, escrow=chargeback.escrow, amount=state.amount, details=details)


def _details(chargeback: Chargeback) -> dict[str, str | int]:
    """Return what the notices of an event need: whether the escrow's money is concerned, and whether any was taken."""
    is_inquiry, is_in_escrow = int(chargeback.is_inquiry), int(positions.is_in_escrow(chargeback.payment))
    return {"chargeback": chargeback.pk, "is_inquiry": is_inquiry, "is_in_escrow": is_in_escrow}


def _move(chargeback: Chargeback, movement: ChargebackMovement, now: datetime) -> None:
    """Post one movement of the provider's statement, once, in the currency in which the payment was received.

    A line of any other currency stays open in the statement, for staff.
    """
    if movement.amount.currency != chargeback.taken.currency:
        return
    posting = loss_postings.move_chargeback(chargeback, movement.id, movement.amount, movement.fee, now)
    if not posting.created:
        return
    chargeback.taken_minor -= movement.amount.amount_minor
    chargeback.fee_minor += movement.fee.amount_minor
    event = "chargeback_withdrawn" if movement.amount.amount_minor < 0 else "chargeback_reinstated"
    amount = max(movement.amount, -movement.amount)
    details = {"fee_minor": movement.fee.amount_minor}
    audit.record(event, actor=_SYSTEM, now=now, escrow=chargeback.escrow, amount=amount, details=details)


def _apply_status(escrow: Escrow, chargeback: Chargeback, state: ChargebackState, now: datetime) -> None:
    """Store the status; an outcome is final, except that a lost chargeback may be won later, and the other way round.

    A closed inquiry may become a chargeback.
    """
    was_closed, was_inquiry = chargeback.closed_at is not None, chargeback.is_inquiry
    status = _outcome(state, chargeback.taken_minor)
    if status in CLOSED and (not was_closed or chargeback.status != status.value):
        chargeback.closed_at = now
        event, details = f"chargeback_{status}", _details(chargeback)
        audit.record(event, actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount, details=details)
        if status in HARMLESS:
            loss_history.chargeback_became(escrow, chargeback, HistoryStatus.CANCELLED, now)
        elif chargeback.status in HARMLESS:
            loss_history.chargeback_became(escrow, chargeback, HistoryStatus.PENDING, now)
    elif was_closed and _is_reopened(chargeback, status):
        was_closed, chargeback.closed_at = False, None
        loss_history.chargeback_became(escrow, chargeback, HistoryStatus.PENDING, now)
    if not was_closed or status in CLOSED:
        chargeback.status = status.value
    if was_inquiry and not chargeback.is_inquiry:
        _record_open("chargeback_escalated", chargeback, state, now)
    chargeback.amount_minor = state.amount.amount_minor
    chargeback.evidence_due_at = state.evidence_due_at
    if status in UNANSWERED:
        # Also an inquiry that was answered and has become a chargeback: it needs a new answer.
        chargeback.evidence_submitted_at = None
    elif state.is_submitted and chargeback.evidence_submitted_at is None:
        chargeback.evidence_submitted_at = now
        audit.record("evidence_submitted", actor=_SYSTEM, now=now, escrow=escrow)
    chargeback.save()


def _is_reopened(chargeback: Chargeback, status: ChargebackStatus) -> bool:
    """Return whether what had ended without a loss is contested again: the bank keeps money, or asked only before."""
    if status in CLOSED or status.value.startswith("warning_"):
        return False
    return chargeback.is_inquiry or (chargeback.status in HARMLESS and chargeback.taken_minor > 0)


def changed_ids(provider: str, states: Iterable[ChargebackState]) -> list[str]:
    """Return the ids of chargebacks of our payments that are not stored yet or that have changed."""
    by_id = {state.id: state for state in states}
    known = Chargeback.objects.filter(provider=provider, provider_dispute_id__in=by_id).select_related("payment")
    stored = {row.provider_dispute_id: row for row in known}
    changed = [state for state in by_id.values() if _has_changed(stored.get(state.id), state)]
    return [state.id for state in changed if _payment(provider, state) is not None]


def _has_changed(stored: Chargeback | None, state: ChargebackState) -> bool:
    if stored is None:
        return True
    moved = [movement.amount for movement in state.movements if movement.amount.currency == stored.taken.currency]
    taken_minor = -sum(amount.amount_minor for amount in moved)
    return stored.taken_minor != taken_minor or stored.status != _outcome(state, taken_minor).value


def _payment(provider: str, state: ChargebackState) -> Payment | None:
    payments = Payment.objects.filter(provider=provider)
    return (
        payments.filter(provider_payment_id=state.payment_id).first()
        or payments.exclude(provider_collection_id="").filter(provider_collection_id=state.collection_id).first()
    )
