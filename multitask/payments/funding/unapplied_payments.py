"""Payments that arrived but fit no escrow: set aside, and refunded."""

from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext_noop

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import Forbidden, KeyReused, NotFound, WrongState
from multitask.payments.escrow import refund_outcomes, unapplied
from multitask.payments.models import Approval, Escrow, Payment, Refund
from multitask.payments.states import HistoryStatus, PaymentState, RefundState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power

_SYSTEM: Final = Actor.system("provider")


def set_aside(escrow: Escrow, payment: Payment, received: Money, reason: str, now: datetime) -> None:
    """Book a received payment that the escrow does not expect as unapplied; the caller saves the payment."""
    require(PaymentState(payment.state), PaymentState.REVIEW)
    payment.state = PaymentState.REVIEW.value
    payment.review_reason = reason
    history.deposit_became(escrow, payment, HistoryStatus.FAILED, now, reason=_REASONS[reason])
    audit.record("payment_review", actor=_SYSTEM, now=now, escrow=escrow, amount=received, note=reason)
    postings.receive_unapplied(payment, received, now)


_REASONS: Final = {
    "amount_mismatch": gettext_noop("The amount received is not the amount of the payment; our staff is reviewing it."),
    "other_currency": gettext_noop("The payment was converted into another currency; our staff is reviewing it."),
    "second_payment": gettext_noop("The task was already paid or cancelled; this payment is being refunded."),
}


def send_back(
    escrow: Escrow,
    payment: Payment,
    received: Money,
    *,
    actor: Actor,
    now: datetime,
    note: str = "",
    request_key: str = "",
) -> Refund:
    """Refund what is left of an unapplied payment; the caller holds the escrow's lock.

    One that was converted is refunded in its own currency.
    """
    is_converted = received.currency != payment.currency
    amount = unapplied.left_of_charge(payment) if is_converted else received
    refund = Refund.objects.create(
        escrow=escrow,
        payment=payment,
        provider=payment.provider,
        source="unapplied",
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        booked_minor=received.amount_minor if is_converted else None,
        booked_currency=received.currency if is_converted else "",
        state=RefundState.PENDING.value,
        reason=payment.review_reason,
        note=note,
        requested_by_id=actor.user_id,
        decided_by_id=actor.user_id,
        request_key=request_key,
        created_at=now,
        decided_at=now,
    )
    audit.record("payment_sent_back", actor=actor, now=now, escrow=escrow, amount=amount, note=note)
    refund_outcomes.send(escrow, refund, now)
    return refund


@database.transactional
def return_payment(
    *, actor: Actor, payment_id: int, now: datetime, note: str = "", request_key: str = ""
) -> Refund | Approval:
    """Refund a payment that is under review, as finance staff.

    A large payment creates and returns an approval instead. A repeated `request_key` returns what it created. Raises
    Forbidden, ProofNeeded, NotFound, WrongState or KeyReused.
    """
    powers.require(actor, Power.REFUND, Forbidden())
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("There is no such payment.")
    escrow = locks.lock_by_id(payment.escrow_id)
    access.require_neutral(actor, escrow)
    payment.refresh_from_db()
    earlier = _earlier(actor, payment, request_key) or approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    received = _returnable(payment)
    if approvals.is_large(escrow, received):
        arguments = {"payment_id": payment.pk, "amount_minor": received.amount_minor, "note": note}
        arguments["currency"] = received.currency
        return approvals.ask(
            approvals.RETURN_PAYMENT, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    return send_back(escrow, payment, received, actor=actor, now=now, note=note, request_key=request_key)


def _earlier(actor: Actor, payment: Payment, request_key: str) -> Refund | None:
    """Return the refund that an earlier attempt of the same request created, or None. Raises KeyReused."""
    if not request_key:
        return None
    found = Refund.objects.filter(requested_by_id=actor.user_id, request_key=request_key).first()
    if found is not None and found.payment_id != payment.pk:
        raise KeyReused
    return found


def _returnable(payment: Payment) -> Money:
    under_way = payment.refunds.filter(source="unapplied", state=RefundState.PENDING.value)
    if payment.state != PaymentState.REVIEW.value or under_way.exists():
        raise WrongState("Only a payment under review can be refunded, and only once.")
    if payment.chargebacks.filter(taken_minor__gt=0).exists():
        raise WrongState("A bank has taken this payment back: book who bears that instead of refunding it.")
    found = unapplied.left(payment)
    is_converted = found.currency != payment.currency
    if not found.amount_minor or (is_converted and not unapplied.left_of_charge(payment).amount_minor):
        raise WrongState("Nothing of this payment is left.")
    return found


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out the approved refund of an unapplied payment."""
    payment = Payment.objects.get(pk=arguments["payment_id"], escrow=escrow)
    send_back(escrow, payment, _returnable(payment), actor=actor, now=now, note=arguments["note"])
