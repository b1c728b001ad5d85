"""The objects behind statement lines, and the keys of the postings that book them.

A source is the provider's object that moved the money. Here is looked up, for many sources at once, which object of
ours it is and whether its outcome is still to come.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model, Q, QuerySet

from multitask.payments.models import (
    AdjustmentReversal,
    Chargeback,
    Operation,
    Payment,
    Refund,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.payments.provider import LineKind
from multitask.payments.states import (
    OPEN_OPERATIONS,
    OperationState,
    PaymentState,
    RefundState,
    ReversalState,
    WithdrawalState,
)

# The keys of the postings behind a source, by the kind of its lines: `{id}` is our row, `{line}` the provider's id of
# one line. A posting under one of these keys explains the source.
KEYS: Final[Mapping[LineKind, tuple[str, ...]]] = {
    LineKind.PAYMENT: ("payment:{id}:received", "payment:{id}:fee"),
    LineKind.REFUND: ("refund:{id}:paid", "refund:{id}:returned"),
    LineKind.REVERSAL: ("reversal:{id}:reversed",),
    LineKind.PAYOUT: ("withdrawal:{id}:paid", "withdrawal:{id}:returned"),
    LineKind.CHARGEBACK: ("chargeback:{id}:{line}",),
}
# Those of transfers, by the kind of the operation; `{sequence}` is empty for the first transfer of an escrow.
TRANSFER_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "create_transfer": ("escrow:{id}:transferred{sequence}",),
    "transfer_adjustment": ("adjustment:{id}:transferred",),
}
# That of a reversal of an adjustment's transfer.
_ADJUSTMENT_REVERSED: Final = "adjustment:{adjustment}:reversed:{id}"
# What moves money between the platform and a connected account.
_BETWEEN_ACCOUNTS: Final = (Operation, Reversal, AdjustmentReversal)
# Kinds of lines that belong to the source of another kind.
_KIND_OF_SOURCE: Final = {
    LineKind.REFUND_FAILURE: LineKind.REFUND,
    LineKind.PAYOUT_FAILURE: LineKind.PAYOUT,
    LineKind.PAYOUT_CANCELLED: LineKind.PAYOUT,
    LineKind.CHARGEBACK_REVERSAL: LineKind.CHARGEBACK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An object of ours behind lines: the keys of its postings, and whether its outcome is still to come.

    `account_id` is the connected account on the other side of a transfer or reversal, if it is known.
    """

    keys: tuple[str, ...]
    is_undecided: bool
    account_id: int | None = None


def look_up(provider: str, lines: Collection[StatementLine]) -> dict[str, Source]:
    """Return the objects behind these lines, by source; those that are not known are left out. One query per kind."""
    wanted: dict[LineKind, dict[str, list[StatementLine]]] = {}
    for line in lines:
        kind = _KIND_OF_SOURCE.get(LineKind(line.kind), LineKind(line.kind))
        if kind in _FINDERS:
            wanted.setdefault(kind, {}).setdefault(line.source, []).append(line)
    found: dict[str, Source] = {}
    for kind, by_source in wanted.items():
        for source, row in _FINDERS[kind](provider, by_source):
            found[source] = Source(
                keys=_keys(kind, row, by_source[source]),
                is_undecided=_UNDECIDED[kind](row),
                account_id=row.account_id if isinstance(row, _BETWEEN_ACCOUNTS) else None,
            )
    return found


def _keys(kind: LineKind, row: Model, lines: list[StatementLine]) -> tuple[str, ...]:
    if isinstance(row, Operation):
        sequence = f":{row.sequence}" if row.sequence > 1 else ""
        return tuple(template.format(id=row.subject_id, sequence=sequence) for template in TRANSFER_KEYS[row.kind])
    if isinstance(row, AdjustmentReversal):
        return (_ADJUSTMENT_REVERSED.format(adjustment=row.adjustment_id, id=row.pk),)
    named = (template.format(id=row.pk, line=line.provider_line_id) for template in KEYS[kind] for line in lines)
    return tuple(dict.fromkeys(named))


_BySource = Mapping[str, list[StatementLine]]


def _payments(provider: str, by_source: _BySource) -> list[tuple[str, Payment]]:
    """Find payments by their charge, or by their own id while the charge is not known here."""
    intents = {line.object_id: source for source, lines in by_source.items() for line in lines if line.object_id}
    wanted = Q(provider_collection_id__in=by_source) | Q(provider_payment_id__in=intents)
    found = Payment.objects.filter(wanted, provider=provider)
    return [
        (source, row)
        for row in found
        if (source := row.provider_collection_id or intents.get(row.provider_payment_id or "", "")) in by_source
    ]


def _by_column(rows: QuerySet[Any], column: str) -> Callable[[str, _BySource], list[tuple[str, Any]]]:
    def find(provider: str, by_source: _BySource) -> list[tuple[str, Any]]:
        found = rows.filter(provider=provider, **{f"{column}__in": list(by_source)})
        return [(getattr(row, column), row) for row in found]

    return find


def _reversals(provider: str, by_source: _BySource) -> list[tuple[str, Any]]:
    """Find reversals of transfers of shares and of adjustments."""
    tables = (Reversal.objects.all(), AdjustmentReversal.objects.all())
    return [pair for rows in tables for pair in _by_column(rows, "provider_reversal_id")(provider, by_source)]


_FINDERS: Final[Mapping[LineKind, Callable[[str, _BySource], list[tuple[str, Any]]]]] = {
    LineKind.PAYMENT: _payments,
    LineKind.REFUND: _by_column(Refund.objects.all(), "provider_refund_id"),
    LineKind.TRANSFER: _by_column(Operation.objects.filter(kind__in=TRANSFER_KEYS), "provider_reference"),
    LineKind.REVERSAL: _reversals,
    LineKind.PAYOUT: _by_column(Withdrawal.objects.all(), "provider_payout_id"),
    LineKind.CHARGEBACK: _by_column(Chargeback.objects.all(), "provider_dispute_id"),
}
_ON_ITS_WAY: Final = frozenset({WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value})
_UNDECIDED: Final[Mapping[LineKind, Callable[[Any], bool]]] = {
    # The fee may become known after the payment.
    LineKind.PAYMENT: lambda row: row.state == PaymentState.PENDING.value or row.fee_minor is None,
    LineKind.REFUND: lambda row: row.state == RefundState.PENDING.value,
    LineKind.TRANSFER: lambda row: OperationState(row.state) in OPEN_OPERATIONS,
    # Those of adjustments are known only once they have happened.
    LineKind.REVERSAL: lambda row: isinstance(row, Reversal) and row.state == ReversalState.PENDING.value,
    LineKind.PAYOUT: lambda row: row.state in _ON_ITS_WAY,
    LineKind.CHARGEBACK: lambda row: False,
}
