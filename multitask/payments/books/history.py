"""The wallet's history: one row per event and user, written by the command that causes the event.

Rows are inserted in the command's transaction, before its ledger posting. A trigger (`sql/history_totals.sql`)
maintains counts and sums, so that reading them does not depend on the number of rows.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from multitask.money import Money
from multitask.payments.models import Escrow, HistoryRow, Payment, Refund, Withdrawal
from multitask.payments.states import HistoryStatus
from multitask.payments.terms import Split


class HistoryType(StrEnum):
    """The type of a row; the values are part of the API."""

    ESCROW_DEPOSIT = "escrow_deposit"
    ESCROW_RELEASE = "escrow_release"
    PLATFORM_FEE = "platform_fee"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"
    CHARGEBACK = "chargeback"
    ADJUSTMENT = "adjustment"


def _row(
    user_id: int,
    kind: HistoryType,
    reference: str,
    amount: Money,
    *,
    now: datetime,
    direction: str,
    description: str,
    status: HistoryStatus = HistoryStatus.COMPLETED,
    fee: Money | None = None,
    escrow: Escrow | None = None,
    refund: Refund | None = None,
    withdrawal: Withdrawal | None = None,
    sender_id: int | None = None,
    recipient_id: int | None = None,
) -> HistoryRow:
    return HistoryRow(
        user_id=user_id,
        type=kind.value,
        status=status.value,
        direction=direction,
        amount_minor=amount.amount_minor,
        fee_minor=0 if fee is None else fee.amount_minor,
        currency=amount.currency,
        escrow=escrow,
        refund=refund,
        withdrawal=withdrawal,
        sender_id=sender_id,
        recipient_id=recipient_id,
        reference=reference,
        description=description[:300],
        created_at=now,
        processed_at=now if status is HistoryStatus.COMPLETED else None,
    )


def _write(rows: Sequence[HistoryRow]) -> None:
    """Insert in one statement, ordered by user, so that all commands lock the totals in the same order."""
    ordered = sorted(rows, key=lambda row: row.user_id)
    HistoryRow.objects.bulk_create(ordered, ignore_conflicts=True)


def deposit_requested(escrow: Escrow, payment: Payment, now: datetime) -> None:
    """Record a pending deposit for a payment that was created."""
    row = _row(
        escrow.client_id,
        HistoryType.ESCROW_DEPOSIT,
        f"payment:{payment.pk}",
        escrow.total,
        now=now,
        direction="out",
        status=HistoryStatus.PENDING,
        description=f"Payment into escrow for “{escrow.agreement.title}”",
        escrow=escrow,
        sender_id=escrow.client_id,
        recipient_id=escrow.freelancer_id,
    )
    _write([row])


def deposit_became(escrow: Escrow, payment: Payment, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a deposit: the payment succeeded, failed or was cancelled."""
    _became(escrow.client_id, f"payment:{payment.pk}", status, now, reason)


def released(escrow: Escrow, split: Split, now: datetime) -> None:
    """Record a release: the freelancer earns the gross amount and pays the fee; the client sees who was paid."""
    reference, title = f"escrow:{escrow.pk}:release", escrow.agreement.title
    rows = [
        _row(
            escrow.client_id,
            HistoryType.ESCROW_RELEASE,
            reference,
            split.total,
            fee=split.fee,
            now=now,
            direction="neutral",
            description=f"Released to {escrow.freelancer.username} for “{title}”",
            escrow=escrow,
            sender_id=escrow.client_id,
            recipient_id=escrow.freelancer_id,
        ),
        _row(
            escrow.freelancer_id,
            HistoryType.ESCROW_RELEASE,
            reference,
            split.total,
            fee=split.fee,
            now=now,
            direction="in",
            description=f"Earned for “{title}”",
            escrow=escrow,
            sender_id=escrow.client_id,
            recipient_id=escrow.freelancer_id,
        ),
    ]
    if split.fee.amount_minor:
        rows.append(
            _row(
                escrow.freelancer_id,
                HistoryType.PLATFORM_FEE,
                f"escrow:{escrow.pk}:fee",
                split.fee,
                now=now,
                direction="out",
                description=f"Platform fee for “{title}”",
                escrow=escrow,
                sender_id=escrow.freelancer_id,
            )
        )
    _write(rows)


def refund_started(escrow: Escrow, refund: Refund, now: datetime) -> None:
    """Record a pending refund.

    The refund of an unapplied payment is neutral: that payment never counted as spent, so its return is no income.
    """
    row = _row(
        escrow.client_id,
        HistoryType.REFUND,
        f"refund:{refund.pk}",
        refund.amount,
        now=now,
        direction="neutral" if refund.source == "unapplied" else "in",
        status=HistoryStatus.PENDING,
        description=f"Refund for “{escrow.agreement.title}”",
        escrow=escrow,
        refund=refund,
        sender_id=escrow.freelancer_id,
        recipient_id=escrow.client_id,
    )
    _write([row])


def refund_became(escrow: Escrow, refund: Refund, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a refund: it was paid or failed."""
    _became(escrow.client_id, f"refund:{refund.pk}", status, now, reason)


def withdrawal_requested(withdrawal: Withdrawal, now: datetime) -> None:
    """Record a pending withdrawal."""
    row = _row(
        withdrawal.user_id,
        HistoryType.WITHDRAWAL,
        f"withdrawal:{withdrawal.pk}",
        withdrawal.amount,
        now=now,
        direction="out",
        status=HistoryStatus.PENDING,
        description="Withdrawal to your bank",
        withdrawal=withdrawal,
        sender_id=withdrawal.user_id,
        recipient_id=withdrawal.user_id,
    )
    _write([row])


def withdrawal_became(withdrawal: Withdrawal, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a withdrawal: its payout was paid or failed."""
    _became(withdrawal.user_id, f"withdrawal:{withdrawal.pk}", status, now, reason)


def _became(user_id: int, reference: str, status: HistoryStatus, now: datetime, reason: str) -> None:
    HistoryRow.objects.filter(user_id=user_id, reference=reference).update(
        status=status.value, processed_at=now, failure_reason=reason
    )
