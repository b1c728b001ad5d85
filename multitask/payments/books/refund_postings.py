"""The postings of refunds: reserved, paid by the provider or by bank, returned, failed, carried over to a retry.

Like `postings`: every function is called at the end of the command's transaction and is idempotent by its key.
"""

from datetime import datetime

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Refund


def _refund_source(refund: Refund) -> AccountRef:
    if refund.source == "unapplied":
        return postings.unapplied_account(refund.payment_id)
    return postings.escrow_account(refund.escrow_id)


def reserve(refund: Refund, now: datetime) -> ledger.Posting:
    """Set aside the amount of a refund."""
    return postings.move(
        "refund_requested",
        f"refund:{refund.pk}:reserved",
        refund.booked,
        source=_refund_source(refund),
        target=postings.refund_account(refund.pk),
        now=now,
        description=f"Refund {refund}",
    )


def pay(refund: Refund, provider: str, settled: Money | None, now: datetime) -> ledger.Posting:
    """Post a refund that the provider has paid; `settled` is what a converted one took from the balance."""
    return _settle("refund_paid", f"refund:{refund.pk}:paid", refund, provider, settled, now, sign=1)


def pay_by_bank(refund: Refund, now: datetime) -> ledger.Posting:
    """Post a refund that the platform has paid from its own bank account."""
    return postings.move(
        "refund_paid_by_bank",
        f"refund:{refund.pk}:paid_by_bank",
        refund.booked,
        source=postings.refund_account(refund.pk),
        target=postings.own_bank_account(),
        now=now,
        description=f"Refund {refund} paid from the platform's own bank",
    )


def unpay(refund: Refund, provider: str, returned: Money | None, now: datetime) -> ledger.Posting:
    """Reverse a paid refund that the client's bank sent back; `returned` is what a converted one brought back."""
    return _settle("refund_returned", f"refund:{refund.pk}:returned", refund, provider, returned, now, sign=-1)


def _settle(
    kind: str, key: str, refund: Refund, provider: str, settled: Money | None, now: datetime, *, sign: int
) -> ledger.Posting:
    booked = refund.booked
    is_converted = settled is not None and booked.currency != refund.currency
    moved = settled if is_converted and settled is not None else booked
    legs = [
        Leg(postings.refund_account(refund.pk), -booked if sign > 0 else booked),
        Leg(_refunded_from(refund, provider), moved if sign > 0 else -moved),
        Leg(postings.exchange_account(), (booked - moved) if sign > 0 else (moved - booked)),
    ]
    return ledger.post(
        kind=kind,
        scope=postings.SCOPE,
        key=key,
        legs=[leg for leg in legs if leg.amount.amount_minor],
        effective_at=now,
        description=f"Refund {refund} {'paid' if sign > 0 else 'returned by the bank'}",
    )


def _refunded_from(refund: Refund, provider: str) -> AccountRef:
    return postings.provider_account(provider) if refund.payment.is_refundable else postings.budget_account(provider)


def release(refund: Refund, now: datetime) -> ledger.Posting:
    """Return the amount of a failed refund to its source: the escrow or the unapplied payment."""
    return postings.move(
        "refund_failed",
        f"refund:{refund.pk}:failed",
        refund.booked,
        source=postings.refund_account(refund.pk),
        target=_refund_source(refund),
        now=now,
        description=f"Refund {refund} failed",
    )


def carry(failed: Refund, new_refund: Refund, now: datetime) -> ledger.Posting:
    """Move the money that a failed refund still holds to the refund that retries it."""
    return postings.move(
        "refund_retried",
        f"refund:{failed.pk}:carried",
        failed.amount,
        source=postings.refund_account(failed.pk),
        target=postings.refund_account(new_refund.pk),
        now=now,
        description=f"Refund {failed} retried as {new_refund}",
    )
