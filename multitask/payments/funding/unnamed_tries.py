"""Orders that are paid by a try to pay that no inquiry names: the staff enters its id, and the payment is read by it.

A provider may show only the last try of an order. If an earlier one succeeded after that began, and its callback was
lost, the order is known to be paid and nothing says how. What is entered decides nothing: the provider shows whether
that try paid this order.
"""

from datetime import datetime
from typing import Final

import structlog
from django.db.models import QuerySet

from multitask import database
from multitask.payments.authorization import access, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.funding import payment_results
from multitask.payments.models import Payment
from multitask.payments.operations import direct_calls, engine
from multitask.payments.provider import Collects, Unknown
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider.errors import OTHER_ORDER, PAID_BY_UNNAMED
from multitask.payments.states import PaymentState
from multitask.users import powers
from multitask.users.actor import Actor, Power

log = structlog.get_logger(__name__)

# In `provider_status` of a payment that has not been found paid.
STATUS: Final = "paid_by_unnamed"
_NOT_BY_THIS: Final = "The provider does not show that this transaction paid this order."


def found() -> QuerySet[Payment]:
    """Select the payments of which only the try that paid is not known."""
    return Payment.objects.filter(state=PaymentState.PENDING.value, provider_status=STATUS)


@database.transactional
def note(provider: str, payment_id: str) -> None:
    """Put the payment of a paid order before the staff; a later read that shows another state takes it away again."""
    seen = Payment.objects.filter(provider=provider, provider_payment_id=payment_id.partition("/")[0]).first()
    if seen is None:
        return
    locks.lock_by_id(seen.escrow_id)
    pending = Payment.objects.filter(pk=seen.pk, state=PaymentState.PENDING.value).exclude(provider_status=STATUS)
    if pending.update(provider_status=STATUS):
        log.error("payment_paid_by_unknown_transaction", payment=seen.pk, order=seen.provider_payment_id)


def name_try(*, actor: Actor, payment_id: int, transaction_id: str, note: str, now: datetime) -> Payment:
    """Read the payment of a paid order by the try that paid it, whose id finance staff has found at the provider.

    Raises Forbidden, ProofNeeded, NotFound, WrongState, ProviderRefused or ProviderUnavailable.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff names how a payment was paid."))
    payment = Payment.objects.select_related("escrow").filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("There is no such payment.")
    access.require_neutral(actor, payment.escrow)
    if not note.strip():
        raise WrongState("A decision needs a reason.")
    _require_unnamed(payment)
    state = _read(payment, transaction_id.strip())
    return _apply(payment, state, actor, note, now)


def _require_unnamed(payment: Payment) -> None:
    if not found().filter(pk=payment.pk).exists():
        raise WrongState("It is known how this payment was paid.")


def _read(payment: Payment, transaction_id: str) -> ProviderPayment:
    with direct_calls.answered():
        try:
            collects = engine.provider_for(payment.provider, Collects)
            state = collects.read_payment(f"{payment.provider_payment_id}/{transaction_id}")
        except Unknown as error:
            if error.code not in {PAID_BY_UNNAMED, OTHER_ORDER}:
                raise
            raise WrongState(_NOT_BY_THIS) from error
    if not transaction_id or state.collection_id != transaction_id:
        raise WrongState(_NOT_BY_THIS)
    return state


@database.transactional
def _apply(payment: Payment, state: ProviderPayment, actor: Actor, note: str, now: datetime) -> Payment:
    escrow = locks.lock_by_id(payment.escrow_id)
    _require_unnamed(payment)
    audit.record(
        "payment_try_named",
        actor=actor,
        now=now,
        escrow=escrow,
        amount=state.amount,
        note=note,
        details={"payment": str(payment), "transaction": state.collection_id},
    )
    payment_results.confirm(payment.provider, state, now)
    payment.refresh_from_db()
    return payment
