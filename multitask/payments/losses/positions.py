"""What there is to bear a loss of one escrow, read under the locks of the escrow and of the payee's account."""

from django.conf import settings
from django.db.models import Sum

from multitask import ledger
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import postings, receivables, shares
from multitask.payments.escrow import unapplied
from multitask.payments.losses.waterfall import Position
from multitask.payments.models import Chargeback, Escrow, Payment
from multitask.payments.payouts import made_outside
from multitask.payments.states import PaymentState


def lock_payee(escrow: Escrow) -> None:
    """Lock the payee's accounts, so that no withdrawal and no other loss takes the same money; after the escrow."""
    locks.lock_payee(escrow.freelancer_id, escrow.provider, is_on_platform=escrow.is_on_platform)


def of_escrow(escrow: Escrow, *, held_minor: int = 0) -> Position:
    """Return the position of an escrow; `held_minor` is the part of the payee's share held for this very loss."""
    owed = receivables.owed(escrow.freelancer_id, escrow.currency)
    return Position(
        in_escrow=ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency).amount_minor,
        released=escrow.released_minor - escrow.returned_minor,
        fee=escrow.released_fee_minor - escrow.reclaimed_fee_minor,
        held=held_minor + shares.unspent(escrow).amount_minor,
        receivable_room=max(0, settings.RECEIVABLE_LIMIT_MINOR - owed.amount_minor),
        step=escrow.share_step,
    )


def of_chargeback(escrow: Escrow, chargeback: Chargeback) -> Position:
    """Return what there is to bear a chargeback; that of a payment which fits no escrow concerns no payee."""
    if not is_in_escrow(chargeback.payment):
        return of_unapplied(chargeback.payment, chargeback.amount)
    return of_escrow(escrow, held_minor=chargeback.held_minor + reversed_minor(escrow))


def reversed_minor(escrow: Escrow) -> int:
    """Return what of the payee's share was reversed at the provider and waits for a decision, in minor units."""
    undecided = made_outside.undecided(escrow).amount_minor
    held = escrow.chargebacks.aggregate(sum=Sum("held_minor"))["sum"] or 0
    return min(undecided, max(0, escrow.contested_minor - int(held)))


def of_unapplied(payment: Payment, amount: Money) -> Position:
    """Return what there is of an amount of a payment that fits no escrow, and so concerns no payee."""
    left = unapplied.share(payment, amount).amount_minor
    return Position(in_escrow=left, released=0, fee=0, held=0, receivable_room=0)


def is_in_escrow(payment: Payment) -> bool:
    """Return whether a payment is the one that funded its escrow."""
    return bool(payment.state == PaymentState.SUCCEEDED.value)
