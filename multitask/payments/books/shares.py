"""What a payee still has of one escrow's release.

Available money of several escrows lies together, with adjustments. Withdrawals take adjustments first and then the
earliest earnings, so what is left are the newest.
"""

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, F, Func, QuerySet, Value
from django.db.models.functions import Cast

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import loss_postings, postings
from multitask.payments.models import ConnectedAccount, Escrow, Withdrawal
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
    available = ledger.balance(loss_postings.share_account(escrow).code, escrow.currency).amount_minor
    rows = Escrow.objects.filter(pk=escrow.pk).annotate(later=earned_after(escrow, Value(available)))
    (later,) = rows.values_list("later", flat=True)
    return Money(left(share.amount_minor, later, available), escrow.currency)


def left(share: int, later: int, balance: int) -> int:
    """Return how much of an available share is still in a balance, in minor units.

    The balance holds the newest shares, since the earliest earnings leave it first, and adjustments before all of them.
    `later` is what became available after the share.
    """
    return max(0, min(share, balance - later))


def earned_after(escrow: Escrow, enough: Any) -> Func:
    """Return the expression of the payee's shares, in minor units, that became available after an available one.

    It counts no further than `enough`, an expression: the balance that they may be in.
    """
    found = (escrow.freelancer_id, escrow.currency, escrow.made_available_at, escrow.pk)
    reach = Cast(enough, BigIntegerField())  # Sums of balances are numeric.
    return Func(*map(Value, found), reach, function="payments_earned_after", output_field=BigIntegerField())


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


def lock_accounts(*user_ids: int) -> None:
    """Lock all accounts of users at providers."""
    list(ConnectedAccount.objects.filter(user_id__in=user_ids).select_for_update(no_key=True).order_by("pk"))


def free(escrow: Escrow, amount: Money, key: str, now: datetime) -> None:
    """Give the payee back a part of the share that was held; what is available pays what was paid out ahead first."""
    is_pending = escrow.made_available_at is None
    ahead = Money.zero(amount.currency) if is_pending else paid_ahead(escrow.freelancer_id, amount)
    loss_postings.free(escrow, amount, ahead, key, now)
