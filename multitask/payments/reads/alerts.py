"""Figures for alerting; each query is bounded by an index on what is open."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Min, Q, QuerySet, Sum
from django.db.models.functions import Abs

from multitask.payments.books.proof import statements
from multitask.payments.losses.holds import CONTESTED
from multitask.payments.models import (
    BooksCheck,
    Chargeback,
    Operation,
    ProofStatement,
    Reconciliation,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import undecided_payouts
from multitask.payments.provider import ChargebackStatus
from multitask.payments.states import OPEN_OPERATIONS, LineState, WithdrawalState

STUCK_AFTER: Final = timedelta(minutes=15)
STUCK_ATTEMPTS: Final = 5
DUE_WITHIN: Final = timedelta(days=3)
_UNANSWERED: Final = (ChargebackStatus.NEEDS_RESPONSE.value, ChargebackStatus.WARNING_NEEDS_RESPONSE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The figures. Ages are in seconds and zero when there is nothing; amounts are in minor units.

    `books_checked_seconds` and `proof_seconds` are None while there was no check and no statement.
    """

    books_violations: int
    books_checked_seconds: float | None
    provider_differences: dict[tuple[str, str], int]
    provider_difference_seconds: float
    open_items: int
    open_item_seconds: float
    chargebacks_due: int
    losses_to_book: int
    reversals_to_decide: int
    stuck_operations: int
    stuck_operation_seconds: float
    failed_withdrawals: int
    payouts_undecided: int
    proof_seconds: float | None
    proof_shortfalls: dict[str, int]


def read(*, now: datetime) -> Alerts:
    """Return all figures at this moment."""
    check = BooksCheck.objects.first()
    differing = Reconciliation.objects.filter(differs_since__isnull=False)
    items = StatementLine.objects.filter(state=LineState.OPEN.value)
    stuck = _stuck(now)
    newest = ProofStatement.objects.order_by("-number").values_list("taken_at", flat=True).first()
    return Alerts(
        books_violations=0 if check is None else check.violations,
        books_checked_seconds=None if check is None else _age(now, check.checked_at),
        provider_differences=_differences(),
        provider_difference_seconds=_age(now, differing.aggregate(since=Min("differs_since"))["since"]),
        open_items=items.count(),
        open_item_seconds=_age(now, items.aggregate(since=Min("opened_at"))["since"]),
        chargebacks_due=_due(now),
        losses_to_book=Chargeback.objects.filter(CONTESTED, status=ChargebackStatus.LOST.value).count(),
        reversals_to_decide=Reversal.objects.filter(is_decided=False).count(),
        stuck_operations=stuck.count(),
        stuck_operation_seconds=_age(now, stuck.aggregate(since=Min("created_at"))["since"]),
        failed_withdrawals=_failed(now),
        payouts_undecided=undecided_payouts.held().count(),
        proof_seconds=None if newest is None else _age(now, newest),
        proof_shortfalls=statements.shortfalls(),
    )


def _age(now: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _differences() -> dict[tuple[str, str], int]:
    """Return the sum of all differences by provider and currency, zero included where accounts are compared."""
    rows = Reconciliation.objects.values_list("account__provider", "currency").annotate(
        total=Sum(Abs("difference_minor"))
    )
    return {(provider, currency): int(total) for provider, currency, total in rows}


def _due(now: datetime) -> int:
    """Return how many chargebacks wait for evidence that is due within three days, or was."""
    waiting = Chargeback.objects.filter(closed_at=None, accepted_at=None, status__in=_UNANSWERED)
    return waiting.filter(evidence_due_at__lte=now + DUE_WITHIN).count()


def _stuck(now: datetime) -> QuerySet[Operation]:
    overdue = Q(next_attempt_at__lt=now - STUCK_AFTER, hold="") | Q(attempts__gte=STUCK_ATTEMPTS, hold="")
    open_ones = Operation.objects.filter(state__in=sorted(state.value for state in OPEN_OPERATIONS))
    return open_ones.filter(overdue | Q(hold=OUTCOME_UNKNOWN))


def _failed(now: datetime) -> int:
    """Return how many withdrawals failed within a day."""
    failed = Withdrawal.objects.filter(state=WithdrawalState.FAILED.value)
    return failed.filter(failed_at__gte=now - timedelta(days=1)).count()
