"""How much of the payment that funded an escrow has gone back to its client, and how much of it is still kept."""

from django.db.models import Q, Sum

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Escrow, Loss, Payment, Refund
from multitask.payments.states import RefundState


def overdrawn(escrow: Escrow, payment: Payment) -> Money:
    """Return by how much the payment's parts are more than the payment: what went back, and what is kept.

    That is so while a lost chargeback and a refund both gave the client the same money. Once the refund fails, what is
    kept belongs to nobody, up to this amount. The caller holds the escrow's lock.
    """
    on_its_way = Q(state__in=[RefundState.PENDING.value, RefundState.SUCCEEDED.value]) | Q(holds_money=True)
    refunded = payment.refunds.filter(on_its_way).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    losses = Loss.objects.filter(chargeback__payment=payment, reversed_at=None)
    lost = losses.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    in_escrow = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency).amount_minor
    kept = in_escrow + escrow.released_minor - escrow.returned_minor
    return Money(max(0, int(refunded) + int(lost) + kept - payment.received_minor), escrow.currency)


def is_owed(failed: Refund) -> bool:
    """Return whether the money that a failed refund holds is still the client's.

    It is not if the bank has given the client the same money with a chargeback: the refund is not made again.
    """
    is_held = failed.source != "unapplied" and failed.holds_money
    return not is_held or not overdrawn(failed.escrow, failed.payment).amount_minor
