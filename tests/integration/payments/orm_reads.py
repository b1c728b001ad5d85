"""The hot reads once more, by the ORM and by plain sums: what the hand-written functions have to answer."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from multitask import ledger
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import loss_postings, postings
from multitask.payments.models import Escrow, HistoryRow, Refund
from multitask.payments.payouts import onboarding
from multitask.payments.reads import contested_reasons, pending_reasons, where
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.where import Reason
from multitask.payments.states import HOLDING_ESCROWS, HistoryStatus, RefundState

Sums = dict[tuple[Place, Reason, datetime | None], int]
EARNED = {
    ("escrow_release", "in"): 1, ("platform_fee", "out"): -1, ("refund", "out"): -1, ("chargeback", "out"): -1,
    ("adjustment", "in"): 1, ("adjustment", "out"): -1,
}  # fmt: skip
SPENT = {("escrow_deposit", "out"): 1, ("refund", "in"): -1, ("chargeback", "in"): -1}


def balances(user_id: int, currency: str) -> dict[str, int]:
    """The figures of a wallet in minor units, from the ledger and from all rows of the history."""
    escrow_codes = [postings.escrow_account(pk).code for pk in _holding(user_id).values_list("pk", flat=True)]
    codes = {name: [f"user:{user_id}:{name}"] for name in ("available", "pending", "withdrawing")}
    found = {name: _held(listed, currency) for name, listed in (codes | {"escrowed": escrow_codes}).items()}
    rows = HistoryRow.objects.filter(user_id=user_id, currency=currency, status=HistoryStatus.COMPLETED.value)
    completed = list(rows.values_list("type", "direction", "amount_minor"))
    contested = Escrow.objects.filter(freelancer_id=user_id).values_list("pk", flat=True)
    return found | {
        "contested": _held([loss_postings.contested_account(pk).code for pk in contested], currency),
        "owed": -_held([f"user:{user_id}:receivable"], currency),
        "lifetime_earnings": sum(EARNED.get((kind, direction), 0) * amount for kind, direction, amount in completed),
        "lifetime_spent": sum(SPENT.get((kind, direction), 0) * amount for kind, direction, amount in completed),
    }


def reasons(user_id: int, currency: str, now: datetime) -> Sums:
    """Why money is in escrow, pending or held, for somebody with few escrows."""
    sums: Sums = {}
    account = onboarding.account_of(user_id)
    for row in _explained_escrows(user_id):
        held = _held([postings.escrow_account(row["pk"]).code], row["currency"])
        _add(sums, Place.ESCROW, *where.reason_in_escrow(row, now), Money(held, row["currency"]), currency)
    for row in pending_reasons.read(user_id):
        if row["part"] == "disputed":
            continue
        reason = Reason(pending_reasons.reason_of_row(row, account, now).value)
        place = Place.CONTESTED if row["part"] == "held" else Place.PENDING
        until = pending_reasons.until(reason, settles_at=row["available_at"], contests=row["contests"], now=now)
        _add(sums, place, reason, until, Money(row["share"], row["currency"]), currency)
    return sums


def _add(sums: Sums, place: Place, reason: Reason, until: datetime | None, amount: Money, currency: str) -> None:
    if amount.currency == currency and amount.amount_minor:
        sums[place, reason, until] = sums.get((place, reason, until), 0) + amount.amount_minor


def _explained_escrows(user_id: int) -> list[dict[str, Any]]:
    asked = Refund.objects.filter(escrow=OuterRef("pk"), source="escrow", state=RefundState.REQUESTED.value)
    rows = _holding(user_id).annotate(
        is_undecided=approvals.open_for_outer(),
        is_asked=Exists(asked),
        answer_by_at=Subquery(asked.values("answer_by_at")[:1]),
        contests=contested_reasons.expression(),
    )
    columns = ("pk", "currency", "state", "frozen_at", "milestone__state", "auto_release_at")
    found = rows.values(*columns, "is_undecided", "is_asked", "answer_by_at", "contests")
    return [
        row | {"is_frozen": row["frozen_at"] is not None, "milestone_state": row["milestone__state"]} for row in found
    ]


def _holding(user_id: int) -> QuerySet[Escrow]:
    holding = Escrow.objects.filter(state__in=[state.value for state in HOLDING_ESCROWS])
    return holding.filter(Q(client_id=user_id) | Q(freelancer_id=user_id))


def _held(codes: list[str], currency: str) -> int:
    found = ledger.balances(codes)
    return sum(amount.amount_minor for (_, in_currency), amount in found.items() if in_currency == currency)
