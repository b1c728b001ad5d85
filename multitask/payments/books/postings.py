"""The accounts of the ledger, and one posting per business event.

Balances are credits minus debits: what we owe to users and hold for them is positive, what the provider holds
for us is negative. Every function that posts is called at the end of the command's transaction and is idempotent
by its key.
"""

import uuid
from datetime import datetime
from typing import Final

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.models import Escrow, Payment, Refund, Withdrawal
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


def fees_account() -> AccountRef:
    """The platform's fees."""
    return AccountRef("platform:fees", floor_minor=None, shards=HOT_SHARDS)


def costs_account() -> AccountRef:
    """What the provider charges the platform for processing."""
    return AccountRef("platform:processing_costs", floor_minor=None, shards=HOT_SHARDS)


def provider_account(provider: str) -> AccountRef:
    """The platform's own balance at the provider (an asset, so negative)."""
    return AccountRef(f"provider:{provider}:balance", floor_minor=None, shards=HOT_SHARDS)


def connected_account(provider: str, account_id: int) -> AccountRef:
    """A freelancer's balance at the provider (an asset, so negative); `account_id` is our own id."""
    return AccountRef(f"provider:{provider}:account:{account_id}", floor_minor=None)


def _move(
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
    return ledger.post(
        kind=kind,
        scope=SCOPE,
        key=key,
        legs=[Leg(source, -amount), Leg(target, amount)],
        effective_at=now,
        description=description,
        reverses=reverses,
    )


def fund(escrow: Escrow, payment: Payment, received: Money, now: datetime) -> ledger.Posting:
    """Post a confirmed payment into escrow."""
    return _move(
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
    return _move(
        "payment_unapplied",
        f"payment:{payment.pk}:received",
        received,
        source=provider_account(payment.provider),
        target=unapplied_account(payment.pk),
        now=now,
        description=f"Payment {payment} fits no escrow",
    )


def processing_fee(payment: Payment, fee: Money, now: datetime) -> ledger.Posting:
    """Post the provider's processing fee, which the platform bears."""
    return _move(
        "processing_fee",
        f"payment:{payment.pk}:fee",
        fee,
        source=costs_account(),
        target=provider_account(payment.provider),
        now=now,
        description=f"Processing fee of payment {payment}",
    )


def release(escrow: Escrow, split: Split, now: datetime) -> ledger.Posting:
    """Post a release: the escrow is divided between freelancer and platform. A share of zero has no leg."""
    shares = [
        Leg(pending_account(escrow.freelancer_id), split.freelancer),
        Leg(fees_account(), split.fee),
    ]
    return ledger.post(
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


def transfer(escrow: Escrow, account_id: int, amount: Money, now: datetime) -> ledger.Posting:
    """Post the transfer of the freelancer's share from the platform's balance to the connected account."""
    return _move(
        "transfer",
        f"escrow:{escrow.pk}:transferred",
        amount,
        source=connected_account(escrow.provider, account_id),
        target=provider_account(escrow.provider),
        now=now,
        description=f"Transfer of escrow {escrow} to the connected account",
    )


def make_available(escrow: Escrow, amount: Money, now: datetime) -> ledger.Posting:
    """Post that the freelancer's share has settled: pending becomes available."""
    return _move(
        "settled",
        f"escrow:{escrow.pk}:settled",
        amount,
        source=pending_account(escrow.freelancer_id),
        target=available_account(escrow.freelancer_id),
        now=now,
        description=f"Settlement of escrow {escrow}",
    )


def reserve_withdrawal(withdrawal: Withdrawal, now: datetime) -> ledger.Posting:
    """Set aside the amount of a withdrawal. Raises InsufficientBalance."""
    return _move(
        "withdrawal_requested",
        f"withdrawal:{withdrawal.pk}:requested",
        withdrawal.amount,
        source=available_account(withdrawal.user_id),
        target=withdrawing_account(withdrawal.user_id),
        now=now,
        description=f"Withdrawal {withdrawal}",
    )


def pay_withdrawal(withdrawal: Withdrawal, now: datetime) -> ledger.Posting:
    """Post a paid payout from the connected account to the bank."""
    return _move(
        "withdrawal_paid",
        f"withdrawal:{withdrawal.pk}:paid",
        withdrawal.amount,
        source=withdrawing_account(withdrawal.user_id),
        target=connected_account(withdrawal.provider, withdrawal.account_id),
        now=now,
        description=f"Withdrawal {withdrawal} paid",
    )


def unpay_withdrawal(withdrawal: Withdrawal, paid: uuid.UUID, now: datetime) -> ledger.Posting:
    """Reverse a paid payout that the bank returned to the connected account."""
    return _move(
        "withdrawal_returned",
        f"withdrawal:{withdrawal.pk}:returned",
        withdrawal.amount,
        source=connected_account(withdrawal.provider, withdrawal.account_id),
        target=withdrawing_account(withdrawal.user_id),
        now=now,
        description=f"Withdrawal {withdrawal} returned by the bank",
        reverses=paid,
    )


def release_withdrawal(withdrawal: Withdrawal, now: datetime) -> ledger.Posting:
    """Make the amount of a failed withdrawal available again."""
    return _move(
        "withdrawal_failed",
        f"withdrawal:{withdrawal.pk}:failed",
        withdrawal.amount,
        source=withdrawing_account(withdrawal.user_id),
        target=available_account(withdrawal.user_id),
        now=now,
        description=f"Withdrawal {withdrawal} failed",
    )


def _refund_source(refund: Refund) -> AccountRef:
    if refund.source == "unapplied":
        return unapplied_account(refund.payment_id)
    return escrow_account(refund.escrow_id)


def reserve_refund(refund: Refund, now: datetime) -> ledger.Posting:
    """Set aside the amount of a refund."""
    return _move(
        "refund_requested",
        f"refund:{refund.pk}:reserved",
        refund.amount,
        source=_refund_source(refund),
        target=refund_account(refund.pk),
        now=now,
        description=f"Refund {refund}",
    )


def pay_refund(refund: Refund, provider: str, now: datetime) -> ledger.Posting:
    """Post a refund that the provider has paid."""
    return _move(
        "refund_paid",
        f"refund:{refund.pk}:paid",
        refund.amount,
        source=refund_account(refund.pk),
        target=provider_account(provider),
        now=now,
        description=f"Refund {refund} paid",
    )


def unpay_refund(refund: Refund, provider: str, now: datetime) -> ledger.Posting:
    """Reverse a paid refund that the client's bank returned to the platform's balance."""
    return _move(
        "refund_returned",
        f"refund:{refund.pk}:returned",
        refund.amount,
        source=provider_account(provider),
        target=refund_account(refund.pk),
        now=now,
        description=f"Refund {refund} returned by the bank",
    )


def release_refund(refund: Refund, now: datetime) -> ledger.Posting:
    """Return the amount of a failed refund to its source: the escrow or the unapplied payment."""
    return _move(
        "refund_failed",
        f"refund:{refund.pk}:failed",
        refund.amount,
        source=refund_account(refund.pk),
        target=_refund_source(refund),
        now=now,
        description=f"Refund {refund} failed",
    )


def carry_refund(failed: Refund, new_refund: Refund, now: datetime) -> ledger.Posting:
    """Move the money that a failed refund still holds to the refund that retries it."""
    return _move(
        "refund_retried",
        f"refund:{failed.pk}:carried",
        failed.amount,
        source=refund_account(failed.pk),
        target=refund_account(new_refund.pk),
        now=now,
        description=f"Refund {failed} retried as {new_refund}",
    )
