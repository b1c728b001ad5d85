"""Losses that the platform bore while a refund seemed to be paid: what the failed refund gave back bears them.

The client has got that money from the bank meanwhile, so it is neither refunded again nor released.
"""

from datetime import datetime

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.escrow import charges
from multitask.payments.losses import booking, unapplied_losses
from multitask.payments.models import Escrow, Loss, Refund
from multitask.payments.states import HOLDING_ESCROWS, RefundState


def cover(escrow: Escrow, failed: Refund, now: datetime) -> None:
    """Let the money of a failed refund bear what the platform bore of chargebacks; a repeated call changes nothing.

    The caller holds the escrow's lock. What was refunded after the release is covered when staff gives it up.
    """
    if failed.state != RefundState.FAILED.value:
        return
    if failed.source == "unapplied":
        unapplied_losses.cover(escrow, failed, now)
    elif failed.source == "escrow" and escrow.escrow_state in HOLDING_ESCROWS:
        _cover_from_escrow(escrow, failed, now)


def _cover_from_escrow(escrow: Escrow, failed: Refund, now: datetime) -> None:
    in_escrow = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency)
    free = min(charges.overdrawn(escrow, failed.payment), in_escrow)
    booked = Loss.objects.select_for_update(no_key=True).filter(chargeback__payment=failed.payment, reversed_at=None)
    for loss in booked.filter(platform_minor__gt=0).order_by("pk"):
        part = min(free, Money(loss.platform_minor, loss.currency))
        if part.amount_minor:
            escrow.charged_back_minor += part.amount_minor
            booking.close_if_empty(escrow, now)
            escrow.save()
            unapplied_losses.move(escrow, loss, part, failed, now)
            free -= part
