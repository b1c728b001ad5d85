"""The wallet's history: one row per event and user, written by the command that causes the event.

Rows are inserted in the command's transaction, before its ledger posting. A trigger (`sql/history_totals.sql`)
maintains counts and sums, so that reading them does not depend on the number of rows.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Final, TypeAlias, TypedDict

from multitask.database import Statement
from multitask.money import Money
from multitask.payments.models import Escrow, HistoryRow, Payment, Refund, Withdrawal
from multitask.payments.states import HistoryStatus
from multitask.payments.terms import Split
from multitask.text import folding

# A new row, as `sql/commands.sql` inserts it: its columns by their names, without those that every new row has alike.
Row: TypeAlias = dict[str, int | str | Sequence[str] | None]
_WRITE: Final = Statement("SELECT payments_write_history(%(rows)s::jsonb)")


class HistoryType(StrEnum):
    """The type of a row; the values are part of the API."""

    ESCROW_DEPOSIT = "escrow_deposit"
    ESCROW_RELEASE = "escrow_release"
    PLATFORM_FEE = "platform_fee"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"
    CHARGEBACK = "chargeback"
    ADJUSTMENT = "adjustment"


def row(
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
    words: Sequence[str] | None = None,
) -> Row:
    """Return a new row, which `write` inserts.

    `words` are the lexemes of the description without the agreement's title, and of the other side's name; the
    database finds them itself if they are not given.
    """
    return {
        "user_id": user_id,
        "type": kind.value,
        "status": status.value,
        "direction": direction,
        "amount_minor": amount.amount_minor,
        "fee_minor": 0 if fee is None else fee.amount_minor,
        "currency": amount.currency,
        "escrow_id": None if escrow is None else escrow.pk,
        "refund_id": None if refund is None else refund.pk,
        "withdrawal_id": None if withdrawal is None else withdrawal.pk,
        "sender_id": sender_id,
        "recipient_id": recipient_id,
        "reference": reference,
        "description": description[:300],
        "created_at": now.isoformat(),
        "processed_at": now.isoformat() if status is HistoryStatus.COMPLETED else None,
        "words": words,
    }


def write(rows: Sequence[Row]) -> None:
    """Insert rows in one statement."""
    _WRITE.rows({"rows": as_json(rows)})


def as_json(rows: Sequence[Row]) -> str:
    """Return rows as SQL inserts them: sorted by user, so that all commands lock the totals in the same order."""
    return json.dumps(sorted(rows, key=itemgetter("user_id")))


def deposit_requested(escrow: Escrow, payment: Payment, now: datetime) -> None:
    """Record a pending deposit for a payment that was created."""
    entry = row(
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
    write([entry])


def deposit_became(escrow: Escrow, payment: Payment, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a deposit: the payment succeeded, failed or was cancelled."""
    became(escrow.client_id, f"payment:{payment.pk}", status, now, reason)


def release_rows(escrow: Escrow, split: Split, now: datetime) -> list[Row]:
    """Return the rows of a release: the freelancer earns the gross amount and pays the fee; the client sees who."""
    client, freelancer, release = escrow.client.username, escrow.freelancer.username, f"escrow:{escrow.pk}:release"
    rows = [
        row(
            escrow.client_id,
            HistoryType.ESCROW_RELEASE,
            release,
            split.total,
            fee=split.fee,
            now=now,
            direction="neutral",
            escrow=escrow,
            sender_id=escrow.client_id,
            recipient_id=escrow.freelancer_id,
            **_described(f"Released to {freelancer} for", escrow, freelancer),
        ),
        row(
            escrow.freelancer_id,
            HistoryType.ESCROW_RELEASE,
            release,
            split.total,
            fee=split.fee,
            now=now,
            direction="in",
            escrow=escrow,
            sender_id=escrow.client_id,
            recipient_id=escrow.freelancer_id,
            **_described("Earned for", escrow, client),
        ),
    ]
    if split.fee.amount_minor:
        rows.append(
            row(
                escrow.freelancer_id,
                HistoryType.PLATFORM_FEE,
                f"escrow:{escrow.pk}:fee",
                split.fee,
                now=now,
                direction="out",
                escrow=escrow,
                sender_id=escrow.freelancer_id,
                **_described("Platform fee for", escrow, ""),
            )
        )
    return rows


class _Description(TypedDict):
    description: str
    words: Sequence[str]


def _described(beginning: str, escrow: Escrow, other_name: str) -> _Description:
    """Return a description that ends with the title, and the words of everything else, which few rows have new."""
    return {
        "description": f"{beginning} “{escrow.agreement.title}”",
        "words": _lexemes(f"{beginning} {other_name}"),
    }


@lru_cache(maxsize=1_024)
def _lexemes(text: str) -> Sequence[str]:
    return sorted(folding.lexemes(text))


def refund_started(escrow: Escrow, refund: Refund, now: datetime) -> None:
    """Record a pending refund.

    The refund of an unapplied payment is neutral: that payment never counted as spent, so its return is no income.
    """
    entry = row(
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
    write([entry])


def refund_became(escrow: Escrow, refund: Refund, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a refund: it was paid or failed."""
    became(escrow.client_id, f"refund:{refund.pk}", status, now, reason)


def withdrawal_rows(withdrawal: Withdrawal, now: datetime) -> list[Row]:
    """Return the row of a pending withdrawal."""
    entry = row(
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
    return [entry]


def withdrawal_became(withdrawal: Withdrawal, status: HistoryStatus, now: datetime, *, reason: str = "") -> None:
    """Set the status of a withdrawal: its payout was paid or failed."""
    became(withdrawal.user_id, f"withdrawal:{withdrawal.pk}", status, now, reason)


def became(user_id: int, reference: str, status: HistoryStatus, now: datetime, reason: str) -> None:
    """Set the status of a user's row."""
    HistoryRow.objects.filter(user_id=user_id, reference=reference).update(
        status=status.value, processed_at=now, failure_reason=reason
    )
