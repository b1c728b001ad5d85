"""What a payee still has of one escrow's release.

Available money of several escrows lies together. Withdrawals take the earliest earnings first.
"""

from datetime import datetime

from django.db.models import F, Q, QuerySet, Sum

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import loss_postings, postings
from multitask.payments.models import Adjustment, ConnectedAccount, Escrow, Reversal, Withdrawal
from multitask.payments.states import EscrowState, WithdrawalState

# What a payee still has of an escrow's release, as `Escrow.payee_share`.
SHARE = F("released_minor") - F("released_fee_minor") - F("netted_minor") - F("contested_minor") - F("reclaimed_minor")


def unspent(escrow: Escrow) -> Money:
    """Return what is pending or available of an escrow's share: neither withdrawn nor set aside for a withdrawal.

    The caller holds the locks of the escrow and of the payee's account, if the amount is to be taken.
    """
    if escrow.state != EscrowState.RELEASED.value:
        return Money.zero(escrow.currency)
    share = escrow.payee_share
    if escrow.made_available_at is None:
        return share
    leaving = withdrawn(escrow, WithdrawalState.PENDING, WithdrawalState.PROCESSING, WithdrawalState.COMPLETED)
    leaving = max(0, leaving - adjusted(escrow))
    before = earned_before(escrow, escrow.made_available_at)
    left = share.amount_minor - overlap(before, share.amount_minor, 0, leaving)
    held = ledger.balance(loss_postings.share_account(escrow).code, escrow.currency)
    return min(Money(left, escrow.currency), held)


def adjusted(escrow: Escrow) -> int:
    """Return what adjustments added to the payee's available balance, in minor units; withdrawals take it first.

    So they do with what was paid out ahead and has become a receivable or a loss of the platform.
    """
    given_up = Reversal.objects.filter(
        escrow__freelancer_id=escrow.freelancer_id, currency=escrow.currency, ahead_minor__gt=0
    )
    made = Adjustment.objects.filter(
        user_id=escrow.freelancer_id, currency=escrow.currency, amount_minor__gt=0, made_available_at__isnull=False
    )
    added = made.aggregate(total=Sum(F("amount_minor") - F("netted_minor")))["total"] or 0
    return int(added) + int(given_up.aggregate(total=Sum("ahead_minor"))["total"] or 0)


def overlap(start: int, length: int, other_start: int, other_length: int) -> int:
    """Return the overlap of two ranges, in minor units."""
    end = min(start + length, other_start + other_length)
    return max(0, end - max(start, other_start))


def earned_before(escrow: Escrow, available_at: datetime) -> int:
    """Return the payee's shares, in minor units, that became available before this escrow's."""
    return int(earlier(escrow, available_at).aggregate(total=Sum(SHARE))["total"] or 0)


def earlier(escrow: Escrow, available_at: datetime) -> QuerySet[Escrow]:
    """Select the payee's escrows whose shares became available before this one's."""
    before = Q(made_available_at__lt=available_at) | Q(made_available_at=available_at, pk__lt=escrow.pk)
    return Escrow.objects.filter(before, freelancer_id=escrow.freelancer_id, currency=escrow.currency)


def withdrawn(escrow: Escrow, *states: WithdrawalState) -> int:
    """Return what the payee's withdrawals in these states took from the available balance, in minor units."""
    return int(withdrawals(escrow, *states).aggregate(total=Sum("amount_minor"))["total"] or 0)


def withdrawals(escrow: Escrow, *states: WithdrawalState) -> QuerySet[Withdrawal]:
    """Select the payee's withdrawals in these states, in the escrow's currency."""
    return Withdrawal.objects.filter(
        user_id=escrow.freelancer_id,
        currency=escrow.currency,
        state__in=[state.value for state in states],
    )


def paid_ahead(user_id: int, amount: Money) -> Money:
    """Return how much of money that becomes available was paid out ahead.

    If there is any, all accounts of the user are locked, so that it is netted once.
    """
    if not all_paid_ahead(user_id, amount.currency).amount_minor:
        return Money.zero(amount.currency)
    lock_accounts(user_id)
    return min(amount, all_paid_ahead(user_id, amount.currency))


def all_paid_ahead(user_id: int, currency: str) -> Money:
    """Return what was paid out ahead to a user and has not been netted yet."""
    balance = ledger.balance(postings.paid_ahead_account(user_id).code, currency)
    return max(-balance, Money.zero(currency))


def lock_accounts(user_id: int) -> None:
    """Lock all accounts of a user at providers."""
    list(ConnectedAccount.objects.filter(user_id=user_id).select_for_update(no_key=True).order_by("pk"))


def free(escrow: Escrow, amount: Money, key: str, now: datetime) -> None:
    """Give the payee back a part of the share that was held; what is available pays what was paid out ahead first."""
    is_pending = escrow.made_available_at is None
    ahead = Money.zero(amount.currency) if is_pending else paid_ahead(escrow.freelancer_id, amount)
    loss_postings.free(escrow, amount, ahead, key, now)
