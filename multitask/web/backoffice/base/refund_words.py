"""Where the money of a refund arrives, in words."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from multitask.payments.escrow import refund_ways
from multitask.payments.escrow.refund_ways import RefundWay
from multitask.payments.models import Escrow

_SENTENCES: Final = {
    RefundWay.CARD: _("It goes back to the card that was paid with."),
    RefundWay.ORIGIN: _("It goes back the way it was paid: to a card or a mobile wallet."),
    RefundWay.DESTINATION: _(
        "It cannot go back the way it was paid: the payout budget pays it to the client's payout details."
    ),
}


def sentence(escrow: Escrow) -> str:
    """Return which way a refund of an escrow goes."""
    return str(_SENTENCES[refund_ways.of(escrow)])
