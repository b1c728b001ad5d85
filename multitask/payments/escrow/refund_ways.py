"""Which way a refund goes back to the client, for the texts about it."""

from enum import StrEnum

from multitask.payments.models import Escrow
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
