"""Losses of payments that fit no escrow: what of them the payment's own money bears, and what the platform."""

from datetime import datetime

from multitask.money import Money
from multitask.payments.books import audit, loss_postings
from multitask.payments.escrow import unapplied
from multitask.payments.losses.waterfall import Shares
from multitask.payments.models import Escrow, Loss, Payment, Refund
from multitask.users.actor import Actor


def share_out(loss_minor: int, payment: Payment, amount: Money) -> Shares:
    """Divide a loss of an amount of the charge; `loss_minor` is what left the balance for it.

    A converted payment bears it with everything that the books hold for the amount. If the rate has fallen since, that
    is more than the loss, and the platform's part is a gain: below zero. Kept here, it would belong to nobody.
    """
    held = unapplied.share(payment, amount)
    own = held.amount_minor if held.currency != amount.currency else min(held.amount_minor, loss_minor)
    return Shares(escrow=own, payee=0, fee=0, receivable=0, platform=loss_minor - own)


def cover(escrow: Escrow, failed: Refund, now: datetime) -> None:
    """Let the money of a failed refund bear what the platform bore of chargebacks while the refund seemed to be paid.

    The payer has got that money from the bank meanwhile. The caller holds the escrow's lock.
    """
    payment = failed.payment
    free = _belongs_to_nobody(payment)
    booked = Loss.objects.select_for_update(no_key=True).filter(chargeback__payment=payment, reversed_at=None)
    losses = list(booked.order_by("pk")) if free.amount_minor else []
    for loss in losses:
        # The last one also takes what the exchange has gained.
        is_last = free.currency != payment.currency and loss is losses[-1]
        part = free if is_last else min(free, Money(max(0, loss.platform_minor), loss.currency))
        if part.amount_minor:
            move(escrow, loss, part, failed, now)
            free -= part
    unapplied.close(payment)


def _belongs_to_nobody(payment: Payment) -> Money:
    """Return what the books hold beyond what is left of the charge."""
    held, charge = unapplied.left(payment), unapplied.left_of_charge(payment)
    if held.currency == charge.currency:
        return max(held - charge, Money.zero(held.currency))
    return Money.zero(held.currency) if charge.amount_minor else held


def move(escrow: Escrow, loss: Loss, part: Money, failed: Refund, now: datetime) -> None:
    """Let the money that a failed refund gave back bear a part of a loss, instead of the platform."""
    loss.escrow_minor += part.amount_minor
    loss.platform_minor -= part.amount_minor
    loss.save(update_fields=["escrow_minor", "platform_minor"])
    audit.record("loss_covered", actor=Actor.system("provider"), now=now, escrow=escrow, amount=part)
    loss_postings.cover_loss(loss, escrow, failed, part, now)
