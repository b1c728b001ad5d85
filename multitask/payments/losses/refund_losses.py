"""Losses by refunds of what was released: what was held for the payment serves such a refund.

An inquiry holds the payee's share so that it is there for a refund. A reversal that was made at the provider, and about
which nobody has decided, has brought a part of the share back already.
"""

from datetime import datetime

from django.db.models import QuerySet

from multitask.money import Money
from multitask.payments.losses import booking, holds, positions, waterfall
from multitask.payments.losses.waterfall import Position, Shares
from multitask.payments.models import Chargeback, Escrow, Loss, Refund
from multitask.users.actor import Actor


def preview(escrow: Escrow, amount: Money) -> Shares:
    """Return who would bear a refund of this amount if it were made now."""
    return waterfall.share_out(amount.amount_minor, _position(escrow))


def _position(escrow: Escrow) -> Position:
    return positions.of_escrow(escrow, held_minor=_held_minor(escrow) + positions.reversed_minor(escrow))


def _held_minor(escrow: Escrow) -> int:
    return sum(_inquiries(escrow).values_list("held_minor", flat=True))


def _inquiries(escrow: Escrow) -> QuerySet[Chargeback]:
    """Select the inquiries that hold a part of the payee's share; a chargeback needs what it holds for itself."""
    return escrow.chargebacks.filter(status__startswith=Chargeback.INQUIRY, held_minor__gt=0).order_by("pk")


def bear(escrow: Escrow, refund: Refund, *, actor: Actor, now: datetime) -> Loss:
    """Let those bear a refund whom the preview names; the caller holds the locks of the escrow and the payee.

    The payee's part is what was reversed before, then what they have free, and last what inquiries hold: these may
    still become chargebacks of what is left of the payment.
    """
    position = _position(escrow)
    shares = waterfall.share_out(refund.amount_minor, position)
    free_minor = position.held - positions.reversed_minor(escrow) - _held_minor(escrow)
    back_minor = holds.use_reversed(escrow, shares.payee)
    held_minor = max(0, shares.payee - back_minor - free_minor)
    _take_from_inquiries(escrow, held_minor)
    return booking.execute(
        escrow,
        shares,
        position,
        held=Money(back_minor + held_minor, escrow.currency),
        chargeback=None,
        refund=refund,
        actor=actor,
        now=now,
        back_minor=back_minor,
    )


def _take_from_inquiries(escrow: Escrow, amount_minor: int) -> None:
    for inquiry in _inquiries(escrow).select_for_update(no_key=True):
        part = min(inquiry.held_minor, amount_minor)
        inquiry.held_minor -= part
        inquiry.save(update_fields=["held_minor"])
        amount_minor -= part
