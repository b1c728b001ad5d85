"""Confirmations of payments: the provider's state of a payment is applied, and only this funds an escrow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history
from multitask.payments.errors import UnknownObject
from multitask.payments.funding import fundings, payment_facts, unapplied_payments
from multitask.payments.funding.fundings import Funding
from multitask.payments.models import Escrow, Payment
from multitask.payments.operations import references
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider import PaymentStatus
from multitask.payments.states import EscrowState, HistoryStatus, PaymentState
from multitask.users.actor import Actor

CREATE_PAYMENT: Final = "create_payment"
CALLED_OFF: Final = "called_off"

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
    if fundings.is_due(escrow, payment, state):
        fundings.write([fundings.decide(escrow, payment, state, now)], now)
    else:
        _apply(escrow, payment, state, now)


def confirm_together(provider: str, states: Sequence[ProviderPayment], now: datetime) -> list[bool]:
    """Apply those payments that fund their escrows, in one transaction; return of each whether it was applied.

    The others are left for `confirm`: payments that are not known, and further charges of a payment, which may have
    its id.
    """
    return database.run_together(lambda: _confirm_together(provider, states, now))


def _confirm_together(provider: str, states: Sequence[ProviderPayment], now: datetime) -> list[bool]:
    known = [_known(provider, state) for state in states]
    escrow_ids = sorted({found[1] for found in known if found is not None})
    escrows = {escrow_id: locks.lock_by_id(escrow_id) for escrow_id in escrow_ids}
    rows = Payment.objects.select_for_update(no_key=True).filter(pk__in=[found[0] for found in known if found])
    payments = {payment.pk: payment for payment in rows.order_by("pk")}
    decided: list[Funding | None] = []
    for state, found in zip(states, known, strict=True):
        decided.append(None if found is None else _funding(escrows[found[1]], payments[found[0]], state, now))
    fundings.write([funding for funding in decided if funding is not None], now)
    return [funding is not None for funding in decided]


def _funding(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> Funding | None:
    # An escrow that one of them funds waits for no other.
    return fundings.decide(escrow, payment, state, now) if fundings.is_due(escrow, payment, state) else None


def _apply(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Apply a state that does not fund the escrow."""
    charge_id = references.charge_id(payment, state)
    if charge_id != state.id:
        state = replace(state, id=charge_id)
        another = _another_charge(escrow, payment, state, now)
        if another is None:
            return
        payment = another
    had_succeeded = payment.succeeded_at is not None
    payment_facts.note(payment, state)
    _name(escrow, payment)
    if state.status is PaymentStatus.SUCCEEDED:
        _set_aside(escrow, payment, state, now)
        ledger.post_many(payment_facts.note_fee(payment, state, now))
    elif state.status is PaymentStatus.CANCELLED and payment.state == PaymentState.PENDING.value:
        payment.state = PaymentState.CANCELLED.value
        history.deposit_became(escrow, payment, HistoryStatus.CANCELLED, now)
        audit.record("payment_cancelled", actor=_SYSTEM, now=now, escrow=escrow)
    if not had_succeeded:
        _note_failure(escrow, payment, state, now)
    payment.save()


def _known(provider: str, state: ProviderPayment) -> tuple[int, int] | None:
    """Return the ids of the payment and its escrow, or None."""
    wanted = references.object_filter("provider_payment_id", state.id, state.reference, CREATE_PAYMENT)
    # Nulls sort last, so a row with the id comes before one without.
    found = Payment.objects.filter(wanted, provider=provider).order_by("provider_payment_id")
    return found.values_list("pk", "escrow_id").first()


def _another_charge(escrow: Escrow, first: Payment, state: ProviderPayment, now: datetime) -> Payment | None:
    """Return the payment of a second charge of an order, which is recorded when it is first seen to have succeeded.

    It begins as cancelled, since nobody asked for it: its money is set aside and sent back.
    """
    rows = Payment.objects.select_for_update(no_key=True)
    known = rows.filter(provider=first.provider, provider_payment_id=state.id).first()
    if known is not None or state.status is not PaymentStatus.SUCCEEDED:
        return known
    received = state.received if state.received is not None else state.amount
    payment = Payment.objects.create(
        escrow=escrow,
        provider=first.provider,
        provider_payment_id=state.id,
        amount_minor=received.amount_minor,
        currency=received.currency,
        state=PaymentState.CANCELLED.value,
        created_at=now,
    )
    history.deposit_requested(escrow, payment, now)
    return payment


def paid_try(provider: str, payment_id: str) -> str:
    """Return the provider's name of the try that paid an order, "order/transaction"; nothing if it is not known."""
    order_id = payment_id.partition("/")[0]
    known = Payment.objects.filter(provider=provider, provider_payment_id=order_id).exclude(provider_collection_id="")
    collection_id = known.values_list("provider_collection_id", flat=True).first()
    return f"{order_id}/{collection_id}" if collection_id else ""


def _note_failure(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Store why the last try to pay failed; the caller has seen that none had succeeded before."""
    is_new = state.failure_code and state.failure_code != payment.failure_code
    if is_new and state.status not in {PaymentStatus.SUCCEEDED, PaymentStatus.CANCELLED}:
        audit.record("payment_failed", actor=_SYSTEM, now=now, escrow=escrow, note=state.failure_message)
    payment.failure_code = state.failure_code
    payment.failure_reason = state.failure_message


def _name(escrow: Escrow, payment: Payment) -> None:
    """Set the escrow's payment id: that of the payment that funded it, until then of the newest."""
    assert payment.provider_payment_id is not None  # noqa: S101
    if _awaits(escrow) and escrow.provider_payment_id != payment.provider_payment_id:
        escrow.provider_payment_id = payment.provider_payment_id
        escrow.save(update_fields=["provider_payment_id"])


def _set_aside(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Set money aside that does not fund the escrow, and send back what nobody waits for."""
    if payment.state not in {PaymentState.PENDING.value, PaymentState.CANCELLED.value}:
        return
    received = state.received if state.received is not None else state.amount
    is_converted = state.settled is not None and state.settled.currency != received.currency
    is_expected = received == Money(payment.amount_minor, payment.currency)
    if is_converted:
        # The books keep what there is: the amount in the currency in which it reached the balance.
        assert state.settled is not None  # noqa: S101
        received = state.settled
    payment.received_minor = received.amount_minor
    payment.received_currency = received.currency
    payment.succeeded_at = now
    payment.provider_status = state.status.value
    if is_converted:
        unapplied_payments.set_aside(escrow, payment, received, "other_currency", now)
    elif not is_expected:
        unapplied_payments.set_aside(escrow, payment, received, "amount_mismatch", now)
    else:
        unapplied_payments.set_aside(escrow, payment, received, "second_payment", now)
        unapplied_payments.send_back(escrow, payment, received, actor=_SYSTEM, now=now)


def _awaits(escrow: Escrow) -> bool:
    return escrow.escrow_state is EscrowState.PENDING_PAYMENT
