"""Which way a refund goes back to the client, and whether it can go."""

from enum import StrEnum

from multitask.money import Money
from multitask.payments.errors import RefundTooSmall
from multitask.payments.models import Escrow
from multitask.payments.payouts import refund_destinations
from multitask.payments.states import PaymentState


class RefundWay(StrEnum):
    """Where the money of a refund arrives."""

    CARD = "card"
    ORIGIN = "origin"  # the card or mobile wallet that was paid with; which of them is not known here
    DESTINATION = "destination"  # the client's payout details, since the provider cannot send it back


def of(escrow: Escrow) -> RefundWay:
    """Return which way refunds of an escrow go. One statement on a platform route, none on a connected one."""
    if not escrow.is_on_platform:
        return RefundWay.CARD
    arrived = [PaymentState.SUCCEEDED.value, PaymentState.REVIEW.value, PaymentState.RETURNED.value]
    paid = escrow.payments.filter(state__in=arrived).order_by("pk").values_list("is_refundable", flat=True).first()
    return RefundWay.DESTINATION if paid is False else RefundWay.ORIGIN


def require_possible(escrow: Escrow, amount: Money) -> None:
    """Check that a refund of an escrow can reach the client, by whichever way. Raises RefundTooSmall.

    One that has to be paid out and is too small for every kind of destination would wait for ever. At most one
    statement, none on a connected route.
    """
    if not escrow.is_on_platform or not amount.amount_minor:
        return
    if refund_destinations.is_possible(escrow.provider, amount):
        return
    if escrow.payments.filter(state=PaymentState.SUCCEEDED.value, is_refundable=False).exists():
        found = f"The least that can be paid out is {refund_destinations.least(escrow.provider, amount.currency)}."
        raise RefundTooSmall(found, fields={"amount": found})
