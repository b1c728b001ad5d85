"""How long the provider may hold the money of an escrow, and when people are warned that the time ends.

Nothing is released or refunded when it ends: the two sides and the staff decide.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from multitask.payments.models import Escrow
from multitask.payments.states import HOLDING_ESCROWS

# How many days before the end the two sides are warned, and from when the staff sees it.
WARNING_DAYS: Final = (30, 7, 2)
STAFF_DAYS: Final = 7
_HOLDING: Final = [state.value for state in HOLDING_ESCROWS]


def nearing(now: datetime, *, days: int = STAFF_DAYS) -> QuerySet[Escrow]:
    """Select escrows whose money may be held for at most so many days more, those past their time included."""
    return Escrow.objects.filter(state__in=_HOLDING, hold_until_at__lte=now + timedelta(days=days))


def to_warn(now: datetime, *, limit: int, after: int = 0) -> list[Escrow]:
    """Return escrows for which a warning may be due, by their ids, those after `after`."""
    soon = Q(hold_until_at__gt=now, hold_until_at__lte=now + timedelta(days=max(WARNING_DAYS)))
    return list(Escrow.objects.filter(soon, state__in=_HOLDING, pk__gt=after).order_by("pk")[:limit])


def warning(escrow: Escrow, now: datetime) -> int | None:
    """Return which warning is due, as its number of days before the end; None if none is.

    Where money may be held for a short time only, the warnings that would come right after the payment are left out.
    """
    if escrow.hold_until_at is None or escrow.funded_at is None:
        return None
    left, whole = escrow.hold_until_at - now, escrow.hold_until_at - escrow.funded_at
    if left <= timedelta(0):
        return None
    due = [days for days in WARNING_DAYS if left <= timedelta(days=days) < whole]
    return min(due, default=None)
