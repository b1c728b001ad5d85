"""Chargebacks: the cardholder's bank contests a payment, and the escrow is frozen at once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from multitask import database
from multitask.payments.authorization import locks
from multitask.payments.books import audit
from multitask.payments.errors import UnknownObject
from multitask.payments.models import Chargeback, Escrow, Payment
from multitask.payments.operations import engine
from multitask.payments.provider import ChargebackState, ChargebackStatus
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")
# These outcomes do not move any money.
HARMLESS: Final = frozenset({ChargebackStatus.WON, ChargebackStatus.WARNING_CLOSED, ChargebackStatus.PREVENTED})
CLOSED: Final = HARMLESS | {ChargebackStatus.LOST}


@database.transactional
def confirm(provider: str, state: ChargebackState, now: datetime) -> None:
    """Apply the provider's state of a chargeback, and freeze or unfreeze its escrow. Raises UnknownObject."""
    payment = _payment(provider, state)
    if payment is None:
        raise UnknownObject(detail=state.id)
    escrow = locks.lock_by_id(payment.escrow_id)
    chargeback, created = Chargeback.objects.get_or_create(
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
    if created:
        note = f"The cardholder's bank contests the payment: {state.reason}"
        audit.record("chargeback_opened", actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount, note=note)
    if state.status in CLOSED and chargeback.closed_at is None:
        chargeback.closed_at = now
        audit.record(f"chargeback_{state.status}", actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount)
    if chargeback.closed_at is None or state.status in CLOSED:
        chargeback.status = state.status.value
    chargeback.save()
    _freeze_or_unfreeze(escrow, now)


def changed_ids(provider: str, states: Iterable[ChargebackState]) -> list[str]:
    """Return the ids of chargebacks of our payments that are not stored yet or whose status has changed."""
    by_id = {state.id: state for state in states}
    known = Chargeback.objects.filter(provider=provider, provider_dispute_id__in=by_id)
    statuses = dict(known.values_list("provider_dispute_id", "status"))
    changed = [state for state in by_id.values() if statuses.get(state.id) != state.status]
    return [state.id for state in changed if _payment(provider, state) is not None]


def _payment(provider: str, state: ChargebackState) -> Payment | None:
    payments = Payment.objects.filter(provider=provider)
    return (
        payments.filter(provider_payment_id=state.payment_id).first()
        or payments.exclude(provider_collection_id="").filter(provider_collection_id=state.collection_id).first()
    )


def _freeze_or_unfreeze(escrow: Escrow, now: datetime) -> None:
    """Freeze the escrow while a chargeback is open or lost. Finance staff books lost ones."""
    is_contested = Chargeback.objects.filter(escrow=escrow).exclude(status__in=HARMLESS).exists()
    if is_contested and escrow.frozen_at is None:
        escrow.frozen_at = now
        audit.record("frozen", actor=_SYSTEM, now=now, escrow=escrow)
    elif not is_contested and escrow.frozen_at is not None:
        escrow.frozen_at = None
        audit.record("unfrozen", actor=_SYSTEM, now=now, escrow=escrow)
        engine.retry_waiting(escrow.freelancer_id, now=now)
    escrow.save(update_fields=["frozen_at"])
