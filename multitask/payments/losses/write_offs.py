"""Receivables that are given up, always with a second person, and the ageing of all that payees owe."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import audit, loss_postings, paid_ahead, receivables
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import Approval, Receivable
from multitask.users import powers
from multitask.users.actor import Actor, Power

_SYSTEM: Final = Actor.system("provider")
# The ages, in days, at which the ageing list begins a new column.
AGES: Final = (0, 30, 60, 90)
# The most lines of the ageing list; the list of receivables below it shows the others.
MOST_AGEING: Final = 100
_OWED: Final = F("amount_minor") - receivables.SETTLED


@database.transactional
def write_off(*, actor: Actor, receivable_id: int, now: datetime, note: str, request_key: str = "") -> Approval:
    """Ask to write off what is still owed of a receivable, as finance staff.

    Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff writes receivables off."))
    row = Receivable.objects.select_for_update(no_key=True).filter(pk=receivable_id).first()
    if row is None:
        raise NotFound("There is no such receivable.")
    _require_neutral(actor, row)
    owed = _owed(row)
    arguments = {
        "receivable_id": row.pk, "amount_minor": owed.amount_minor, "currency": owed.currency, "note": note
    }  # fmt: skip
    subject = f"receivable:{row.pk}"
    return approvals.ask_about(
        approvals.WRITE_OFF, subject, actor=actor, arguments=arguments, now=now, request_key=request_key
    )


def _require_neutral(actor: Actor, row: Receivable) -> None:
    if actor.is_user(row.user_id):
        raise Forbidden("You cannot write off what you owe yourself.")


def _owed(row: Receivable) -> Money:
    if not row.owed.amount_minor:
        raise WrongState("Nothing is owed any more.")
    return row.owed


def carry_out(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Write off an approved receivable: what is still owed of it now."""
    row = Receivable.objects.select_for_update(no_key=True).get(pk=arguments["receivable_id"])
    _require_neutral(actor, row)
    _write_off(row, _owed(row), actor, arguments["note"], now)


def carry_over(former: Receivable, debt_id: int, now: datetime) -> None:
    """Write off of a debt what was written off of the one that it replaces, as far as it is still owed."""
    row = Receivable.objects.select_for_update(no_key=True).get(pk=debt_id)
    amount = min(Money(former.written_off_minor, former.currency), row.owed)
    if amount.amount_minor:
        _write_off(row, amount, _SYSTEM, "Written off before the loss was booked anew", now)


def _write_off(row: Receivable, amount: Money, actor: Actor, note: str, now: datetime) -> None:
    row.written_off_minor += amount.amount_minor
    row.save(update_fields=["written_off_minor"])
    audit.record("receivable_written_off", actor=actor, now=now, user_id=row.user_id, amount=amount, note=note)
    loss_postings.write_off(row, amount, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """What one payee owes in one currency, by age: one amount for each of `AGES`, and the total.

    `ahead` of it was paid out ahead; the rest are receivables.
    """

    user_id: int
    total: Money
    by_age: tuple[Money, ...]
    ahead: Money


def ageing(*, now: datetime, limit: int = MOST_AGEING) -> list[Ageing]:
    """Return what payees owe, by age: the `limit` who owe most, largest first. A fixed number of queries."""
    ahead = {(debt.user_id, debt.total.currency): debt for debt in paid_ahead.debts()}
    sums: QuerySet[Any, Any] = receivables.open_ones().order_by().values("user_id", "currency")
    groups = sums.annotate(total=Sum(_OWED), **_by_age(now)).order_by("-total", "user_id")
    # Those who owe both may owe more together than the largest receivables are.
    both = groups.filter(user_id__in=[user_id for user_id, _currency in ahead]) if ahead else []
    rows = {(group["user_id"], group["currency"]): group for group in [*groups[:limit], *both]}
    found = [_ageing(user_id, currency, rows, ahead, now) for user_id, currency in {**rows, **ahead}]
    return sorted(found, key=lambda row: (-row.total.amount_minor, row.user_id))[:limit]


def _ageing(
    user_id: int,
    currency: str,
    rows: Mapping[tuple[int, str], Any],
    ahead: Mapping[tuple[int, str], paid_ahead.Debt],
    now: datetime,
) -> Ageing:
    group, debt = rows.get((user_id, currency)), ahead.get((user_id, currency))
    by_age = [group[f"from_{days}"] if group is not None else 0 for days in AGES]
    for at, part in debt.parts if debt is not None else ():
        by_age[max(0, bisect_right(AGES, (now - at).days) - 1)] += part.amount_minor
    return Ageing(
        user_id=user_id,
        total=Money(sum(by_age), currency),
        by_age=tuple(Money(minor, currency) for minor in by_age),
        ahead=debt.total if debt is not None else Money.zero(currency),
    )


def _by_age(now: datetime) -> dict[str, Coalesce]:
    """Return the expressions that sum what is owed, for each of `AGES`."""
    found = {}
    for days, following in zip(AGES, (*AGES[1:], None), strict=True):
        # A clock that is behind must not hide a row.
        old_enough = Q(created_at__lte=now - timedelta(days=days)) if days else Q()
        young_enough = Q() if following is None else Q(created_at__gt=now - timedelta(days=following))
        found[f"from_{days}"] = Coalesce(Sum(_OWED, filter=old_enough & young_enough), 0)
    return found
