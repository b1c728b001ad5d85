"""Early fraud warnings: the card's issuer suspects a payment. A refund in time prevents the chargeback and its fee."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, UnknownObject, WrongState
from multitask.payments.escrow import refunds
from multitask.payments.funding import unapplied_payments
from multitask.payments.losses import late_refunds, positions
from multitask.payments.models import Approval, Escrow, FraudWarning, Payment, Refund
from multitask.payments.provider import FraudWarningState
from multitask.payments.states import EscrowState
from multitask.users import powers
from multitask.users.actor import Actor, Power

_SYSTEM: Final = Actor.system("provider")
REASON: Final = "fraud_warning"


@database.transactional
def confirm(provider: str, state: FraudWarningState, now: datetime) -> None:
    """Apply the provider's state of a warning; one that a refund no longer helps is closed. Raises UnknownObject."""
    payment = _payment(provider, state)
    if payment is None:
        raise UnknownObject(detail=state.id)
    escrow = locks.lock_by_id(payment.escrow_id)
    fields = {"payment": payment, "escrow": escrow, "reason": state.reason, "opened_at": now}
    warning, created = FraudWarning.objects.select_for_update(no_key=True).get_or_create(
        provider=provider, provider_warning_id=state.id, defaults=fields
    )
    if created:
        amount = Money(payment.amount_minor, payment.currency)
        audit.record("fraud_warning_opened", actor=_SYSTEM, now=now, escrow=escrow, amount=amount)
    if warning.is_actionable == state.is_actionable:
        return
    warning.is_actionable = state.is_actionable
    if not state.is_actionable and warning.closed_at is None:
        warning.closed_at = now
        audit.record("fraud_warning_ended", actor=_SYSTEM, now=now, escrow=escrow)
    warning.save()


def changed_ids(provider: str, states: Iterable[FraudWarningState]) -> list[str]:
    """Return the ids of warnings about our payments that are not stored yet or that have changed."""
    by_id = {state.id: state for state in states}
    known = FraudWarning.objects.filter(provider=provider, provider_warning_id__in=by_id)
    stored = dict(known.values_list("provider_warning_id", "is_actionable"))
    changed = [state for state in by_id.values() if stored.get(state.id) is not state.is_actionable]
    return [state.id for state in changed if _payment(provider, state) is not None]


def _payment(provider: str, state: FraudWarningState) -> Payment | None:
    payments = Payment.objects.filter(provider=provider)
    return (
        payments.filter(provider_payment_id=state.payment_id).first()
        or payments.exclude(provider_collection_id="").filter(provider_collection_id=state.collection_id).first()
    )


@database.transactional
def close(*, actor: Actor, warning_id: int, note: str, now: datetime) -> FraudWarning:
    """Close a warning without a refund, with a reason, as finance staff; one that is closed is returned.

    Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    escrow, warning = _locked(actor, warning_id)
    if warning.closed_at is not None:
        return warning
    if not note.strip():
        raise WrongState("Closing a fraud warning needs a reason.")
    warning.closed_at, warning.closed_by_id, warning.note = now, actor.user_id, note
    warning.save()
    audit.record("fraud_warning_closed", actor=actor, now=now, escrow=escrow, note=note)
    return warning


@database.transactional
def refund(*, actor: Actor, warning_id: int, note: str = "", now: datetime, request_key: str = "") -> Refund | Approval:
    """Refund all that is left of the warned payment, as finance staff: before or after its release, or under review.

    A payment that fits no escrow goes back alone: another one may have funded the escrow. The warning ends when the
    provider reports the refund. A large refund creates and returns an approval. Raises what `refunds.ask_or_refund`,
    `late_refunds.refund` or `unapplied_payments.return_payment` raises.
    """
    escrow, warning = _locked(actor, warning_id)
    if not positions.is_in_escrow(warning.payment):
        return unapplied_payments.return_payment(
            actor=actor, payment_id=warning.payment_id, note=note, now=now, request_key=request_key
        )
    command = late_refunds.refund if escrow.state == EscrowState.RELEASED.value else refunds.ask_or_refund
    return command(
        actor=actor, escrow_id=escrow.pk, amount=None, reason=REASON, note=note, now=now, request_key=request_key
    )


def _locked(actor: Actor, warning_id: int) -> tuple[Escrow, FraudWarning]:
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff decides about fraud warnings."))
    seen = FraudWarning.objects.filter(pk=warning_id).first()
    if seen is None:
        raise NotFound("There is no such fraud warning.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    return escrow, FraudWarning.objects.select_for_update(no_key=True, of=("self",)).get(pk=warning_id)
