"""The accounts of the ledger, and one posting per business event.

Balances are credits minus debits: what we owe to users and hold for them is positive, what the provider holds
for us is negative. Every function that posts is called at the end of the command's transaction and is idempotent
by its key. Postings that are written with others or with something else are returned instead (`ledger.Request`).
"""

import uuid
from datetime import datetime
from typing import Final

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.models import Escrow, Payment, Withdrawal
from multitask.payments.terms import Split

SCOPE: Final = "payments"
HOT_SHARDS: Final = 32


def escrow_account(escrow_id: int) -> AccountRef:
    """The money of one escrow."""
    return AccountRef(f"escrow:{escrow_id}")


def pending_account(user_id: int) -> AccountRef:
    """Released to the freelancer, not yet settled at the provider."""
    return AccountRef(f"user:{user_id}:pending")


def available_account(user_id: int) -> AccountRef:
    """Available to the freelancer for withdrawal."""
    return AccountRef(f"user:{user_id}:available")


def withdrawing_account(user_id: int) -> AccountRef:
    """Set aside for withdrawals until their payouts are paid."""
    return AccountRef(f"user:{user_id}:withdrawing")


def refund_account(refund_id: int) -> AccountRef:
    """Reserved for one refund until the provider confirms it."""
    return AccountRef(f"refund:{refund_id}")


def unapplied_account(payment_id: int) -> AccountRef:
    """Unapplied: a payment that fits no escrow, such as a second one or one of another amount."""
    return AccountRef(f"unapplied:{payment_id}")


def receivable_account(user_id: int) -> AccountRef:
    """What a payee owes the platform after a loss (an asset, so negative)."""
    return AccountRef(f"user:{user_id}:receivable", floor_minor=None)


def paid_ahead_account(user_id: int) -> AccountRef:
    """Paid out at the provider before it was available here (an asset, so negative)."""
    return AccountRef(f"user:{user_id}:paid_ahead", floor_minor=None)


def fees_account() -> AccountRef:
    """The platform's fees."""
    return AccountRef("platform:fees", floor_minor=None, shards=HOT_SHARDS)


def costs_account() -> AccountRef:
    """What the provider charges the platform for processing."""
    return AccountRef("platform:processing_costs", floor_minor=None, shards=HOT_SHARDS)


def exchange_account() -> AccountRef:
    """Differences of exchange rates between a payment and its refund."""
    return AccountRef("platform:exchange", floor_minor=None)


def provider_account(provider: str) -> AccountRef:
    """The platform's own balance at the provider (an asset, so negative)."""
    return AccountRef(f"provider:{provider}:balance", floor_minor=None, shards=HOT_SHARDS)


def own_bank_account() -> AccountRef:
    """The platform's own money outside the provider: its payouts and top-ups (an asset, so negative)."""
    return AccountRef("platform:bank", floor_minor=None, shards=HOT_SHARDS)


def budget_account(provider: str) -> AccountRef:
    """The platform's prepaid budget of payouts at the provider (an asset, so negative)."""
    return AccountRef(f"provider:{provider}:budget", floor_minor=None)


def connected_account(provider: str, account_id: int) -> AccountRef:
    """A freelancer's balance at the provider (an asset, so negative); `account_id` is our own id."""
    return AccountRef(f"provider:{provider}:account:{account_id}", floor_minor=None)


def moved(
    kind: str, key: str, amount: Money, *, source: AccountRef, target: AccountRef, now: datetime, description: str
) -> ledger.Request:
    """Return the posting of an amount from one account to another."""
    return ledger.Request(
        kind=kind,
        scope=SCOPE,
        key=key,
        legs=[Leg(source, -amount), Leg(target, amount)],
        effective_at=now,
        description=description,
    )


def move(
    kind: str,
    key: str,
    amount: Money,
    *,
    source: AccountRef,
    target: AccountRef,
    now: datetime,
    description: str,
    reverses: uuid.UUID | None = None,
) -> ledger.Posting:
    """Post an amount from one account to another."""
    return ledger.post(
        kind=kind,
        scope=SCOPE,
        key=key,
        legs=[Leg(source, -amount), Leg(target, amount)],
        effective_at=now,
        description=description,
        reverses=reverses,
    )


def fund(escrow: Escrow, payment: Payment, received: Money, now: datetime) -> ledger.Request:
    """Return the posting of a confirmed payment into escrow."""
    return moved(
        "escrow_funded",
        f"payment:{payment.pk}:received",
        received,
        source=provider_account(payment.provider),
        target=escrow_account(escrow.pk),
        now=now,
        description=f"Payment {payment} into escrow {escrow}",
    )


def receive_unapplied(payment: Payment, received: Money, now: datetime) -> ledger.Posting:
    """Post a payment that fits no escrow."""
    return move(
        "payment_unapplied",
        f"payment:{payment.pk}:received",
        received,
        source=provider_account(payment.provider),
        target=unapplied_account(payment.pk),
        now=now,
        description=f"Payment {payment} fits no escrow",
    )


def processing_fee(payment: Payment, fee: Money, now: datetime) -> ledger.Request:
    """Return the posting of the provider's processing fee, which the platform bears."""
    return moved(
        "processing_fee",
        f"payment:{payment.pk}:fee",
        fee,
        source=costs_account(),
        target=provider_account(payment.provider),
        now=now,
        description=f"Processing fee of payment {payment}",
    )


def release(escrow: Escrow, split: Split, netted: Money, now: datetime) -> ledger.Request:
    """Return the posting of a release, which divides the escrow between freelancer and platform.

    A share of zero has no leg.

    `netted` is the part of the freelancer's share that pays what they owe the platform.
    """
    shares = [
        Leg(pending_account(escrow.freelancer_id), split.freelancer - netted),
        Leg(receivable_account(escrow.freelancer_id), netted),
        Leg(fees_account(), split.fee),
    ]
    return ledger.Request(
        kind="escrow_released",
        scope=SCOPE,
        key=f"escrow:{escrow.pk}:released",
        legs=[
            Leg(escrow_account(escrow.pk), -split.total),
            *(leg for leg in shares if leg.amount.amount_minor),
        ],
        effective_at=now,
        description=f"Release of escrow {escrow}",
    )


def transfer_key(escrow_id: int, sequence: int) -> str:
    """Return the key of a transfer's posting; `sequence` is that of its operation."""
    return f"escrow:{escrow_id}:transferred" + (f":{sequence}" if sequence > 1 else "")


def transfer(escrow: Escrow, account_id: int, amount: Money, sequence: int, now: datetime) -> ledger.Posting:
    """Post a transfer of the freelancer's share from the platform's balance to the connected account."""
    return move(
        "transfer",
        transfer_key(escrow.pk, sequence),
        amount,
        source=connected_account(escrow.provider, account_id),
        target=provider_account(escrow.provider),
        now=now,
        description=f"Transfer of escrow {escrow} to the connected account",
    )


def make_available(escrow: Escrow, amount: Money, ahead: Money, now: datetime) -> ledger.Request:
    """Return the posting of a settled share: pending becomes available, less what was paid out ahead."""
    legs = [
        Leg(pending_account(escrow.freelancer_id), -amount),
        Leg(paid_ahead_account(escrow.freelancer_id), ahead),
        Leg(available_account(escrow.freelancer_id), amount - ahead),
    ]
    return ledger.Request(
        kind="settled",
        scope=SCOPE,
        key=f"escrow:{escrow.pk}:settled",
        legs=[leg for leg in legs if leg.amount.amount_minor],
        effective_at=now,
        description=f"Settlement of escrow {escrow}",
    )


def reserve_withdrawal(withdrawal: Withdrawal, now: datetime) -> ledger.Posting:
    """Set aside the amount of a withdrawal. Raises InsufficientBalance."""
    ahead = Money(withdrawal.ahead_minor, withdrawal.currency)
    legs = [
        Leg(available_account(withdrawal.user_id), ahead - withdrawal.amount),
        Leg(paid_ahead_account(withdrawal.user_id), -ahead),
        Leg(withdrawing_account(withdrawal.user_id), withdrawal.amount),
    ]
    return ledger.post(
        kind="withdrawal_requested",
        scope=SCOPE,
        key=f"withdrawal:{withdrawal.pk}:requested",
        legs=[leg for leg in legs if leg.amount.amount_minor],
        effective_at=now,
        description=f"Withdrawal {withdrawal}",
    )


def pay_withdrawal(withdrawal: Withdrawal, now: datetime) -> ledger.Posting:
    """Post a paid payout from the connected account, or from the budget, to the bank."""
    return move(
        "withdrawal_paid",
        f"withdrawal:{withdrawal.pk}:paid",
        withdrawal.amount,
        source=withdrawing_account(withdrawal.user_id),
        target=_paid_from(withdrawal),
        now=now,
        description=f"Withdrawal {withdrawal} paid",
    )


def _paid_from(withdrawal: Withdrawal) -> AccountRef:
    if withdrawal.account_id is None:
        return budget_account(withdrawal.provider)
    return connected_account(withdrawal.provider, withdrawal.account_id)


def unpay_withdrawal(withdrawal: Withdrawal, paid: uuid.UUID, now: datetime) -> ledger.Posting:
    """Reverse a paid payout that came back to the connected account, or to the budget."""
    return move(
        "withdrawal_returned",
        f"withdrawal:{withdrawal.pk}:returned",
        withdrawal.amount,
        source=_paid_from(withdrawal),
        target=withdrawing_account(withdrawal.user_id),
        now=now,
        description=f"Withdrawal {withdrawal} returned by the bank",
        reverses=paid,
    )


def release_withdrawal(withdrawal: Withdrawal, ahead: Money, now: datetime) -> ledger.Posting:
    """Make the amount of a failed withdrawal available again, less what was paid out ahead."""
    return ledger.post(
        kind="withdrawal_failed",
        scope=SCOPE,
        key=f"withdrawal:{withdrawal.pk}:failed",
        legs=_given_back(withdrawal, ahead),
        effective_at=now,
        description=f"Withdrawal {withdrawal} failed",
    )


def cancel_withdrawal(withdrawal: Withdrawal, ahead: Money, now: datetime) -> ledger.Posting:
    """Make the amount of a cancelled withdrawal available again, less what was paid out ahead."""
    return ledger.post(
        kind="withdrawal_cancelled",
        scope=SCOPE,
        key=f"withdrawal:{withdrawal.pk}:cancelled",
        legs=_given_back(withdrawal, ahead),
        effective_at=now,
        description=f"Withdrawal {withdrawal} cancelled",
    )


def _given_back(withdrawal: Withdrawal, ahead: Money) -> list[Leg]:
    legs = [
        Leg(withdrawing_account(withdrawal.user_id), -withdrawal.amount),
        Leg(paid_ahead_account(withdrawal.user_id), ahead),
        Leg(available_account(withdrawal.user_id), withdrawal.amount - ahead),
    ]
    return [leg for leg in legs if leg.amount.amount_minor]
