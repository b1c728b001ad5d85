"""Debts of payees who were paid out at the provider what was not available here, and then did not become available."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum
from django.db.models.functions import Coalesce

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import AdjustmentReversal, Escrow, Reversal, Withdrawal
from multitask.payments.states import WithdrawalState


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What one payee owes in one currency, as parts with the time at which each was paid out, newest first."""

    user_id: int
    total: Money
    parts: tuple[tuple[datetime, Money], ...]


def debts() -> list[Debt]:
    """Return what was paid out ahead beyond what is still to become available: pending or contested."""
    paid = _paid()
    if not paid:
        return []
    accounts = {
        (user_id, kind): make(user_id).code
        for user_id in {user_id for user_id, _currency in paid}
        for kind, make in (("ahead", postings.paid_ahead_account), ("pending", postings.pending_account))
    }
    balances = ledger.balances(accounts.values())
    contested = _contested([user_id for user_id, _currency in paid])
    found = []
    for (user_id, currency), times in paid.items():
        zero = Money.zero(currency)
        total = -balances.get((accounts[user_id, "ahead"], currency), zero)
        total -= balances.get((accounts[user_id, "pending"], currency), zero)
        total -= Money(contested.get((user_id, currency), 0), currency)
        if total > zero:
            found.append(Debt(user_id=user_id, total=total, parts=_by_time(total, times)))
    return found


def _paid() -> dict[tuple[int, str], list[tuple[datetime, int]]]:
    """Return when what was paid out ahead, in minor units, by user and currency."""
    ended = [WithdrawalState.FAILED.value, WithdrawalState.CANCELLED.value]
    payouts = Withdrawal.objects.filter(ahead_minor__gt=0).exclude(state__in=ended)
    # What was reversed at the provider after it had been paid out here.
    reversals = Reversal.objects.filter(is_outside=True)
    adjusted = AdjustmentReversal.objects.filter(ahead_minor__gt=0)
    found: dict[tuple[int, str], list[tuple[datetime, int]]] = {}
    rows = payouts.values_list("user_id", "currency", "created_at", "ahead_minor").union(
        reversals.values_list("escrow__freelancer_id", "currency", "created_at", "amount_minor"),
        adjusted.values_list("adjustment__user_id", "currency", "created_at", "ahead_minor"),
        all=True,
    )
    for user_id, currency, at, minor in rows:
        found.setdefault((user_id, currency), []).append((at, minor))
    return found


def _contested(user_ids: list[int]) -> dict[tuple[int, str], int]:
    held = Escrow.objects.filter(freelancer_id__in=user_ids, contested_minor__gt=0).order_by()
    rows = held.values_list("freelancer_id", "currency").annotate(sum=Coalesce(Sum("contested_minor"), 0))
    return {(user_id, currency): minor for user_id, currency, minor in rows}


def _by_time(total: Money, times: list[tuple[datetime, int]]) -> tuple[tuple[datetime, Money], ...]:
    """Divide a debt among the times of its payouts: the oldest were netted first."""
    parts, left = [], total
    newest_first = sorted(times, reverse=True)
    for at, minor in newest_first:
        part = min(left, Money(minor, total.currency))
        if part.amount_minor:
            parts.append((at, part))
        left -= part
    if left.amount_minor:
        parts.append((newest_first[-1][0], left))
    return tuple(parts)
