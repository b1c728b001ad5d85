"""The state of a payment that fits no escrow: under review while some of its money is there."""

from typing import Final

from django.db.models import Sum

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Payment
from multitask.payments.states import PaymentState, RefundState, require

_TAKING: Final = (RefundState.PENDING.value, RefundState.SUCCEEDED.value)


def left(payment: Payment) -> Money:
    """Return what of an unapplied payment is neither refunded, being refunded, nor lost."""
    return ledger.balance(postings.unapplied_account(payment.pk).code, payment.received_currency)


def left_of_charge(payment: Payment) -> Money:
    """Return what of the charge itself, in its own currency, is neither refunded, being refunded, nor lost."""
    refunded = payment.refunds.filter(source="unapplied", state__in=_TAKING).aggregate(sum=Sum("amount_minor"))["sum"]
    booked = payment.chargebacks.filter(losses__isnull=False, losses__reversed_at=None)
    lost = booked.aggregate(sum=Sum("amount_minor"))["sum"]
    is_converted = payment.received_currency != payment.currency
    # Another amount may have been paid than was asked for.
    charge = payment.amount_minor if is_converted else payment.received_minor
    return Money(max(0, charge - int(refunded or 0) - int(lost or 0)), payment.currency)


def share(payment: Payment, amount: Money) -> Money:
    """Return what the books hold for an amount of the charge, in its own currency: a proportion if it was converted."""
    held, charge = left(payment), left_of_charge(payment)
    if held.currency == amount.currency:
        return min(held, amount)
    if amount >= charge:
        return held
    whole = charge.amount_minor
    return Money((2 * held.amount_minor * amount.amount_minor + whole) // (2 * whole), held.currency)


def can_be_refunded(payment: Payment, amount: Money, booked: Money) -> bool:
    """Return whether a payment is under review, no refund of it is under way, and this much of it is left."""
    under_way = payment.refunds.filter(source="unapplied", state=RefundState.PENDING.value)
    if payment.state != PaymentState.REVIEW.value or under_way.exists():
        return False
    return left(payment) >= booked and left_of_charge(payment) >= amount


def close(payment: Payment) -> None:
    """Mark an unapplied payment as returned if nothing of it is left or on its way; the caller holds the lock."""
    under_way = payment.refunds.filter(source="unapplied", state=RefundState.PENDING.value)
    if payment.state == PaymentState.RETURNED.value or left(payment).amount_minor or under_way.exists():
        return
    require(PaymentState(payment.state), PaymentState.RETURNED)
    payment.state = PaymentState.RETURNED.value
    payment.save(update_fields=["state"])


def reopen(payment: Payment) -> None:
    """Put an unapplied payment of which money came back under review again; the caller holds the lock."""
    if payment.state == PaymentState.REVIEW.value:
        return
    require(PaymentState(payment.state), PaymentState.REVIEW)
    payment.state = PaymentState.REVIEW.value
    payment.save(update_fields=["state"])
