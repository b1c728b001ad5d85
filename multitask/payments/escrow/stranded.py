"""Stranded money: the work was called off and its money is still, or again, in escrow. Its client can take it back."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Greatest

from multitask.payments.authorization import approvals
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, RefundState

# After how many days the client is told.
TELLING_DAYS: Final = (1, 7, 30)


def found() -> QuerySet[Any]:
    """Select the escrows whose milestone is cancelled, and whose money nothing moves.

    Each has `stranded_at`: when the milestone was cancelled, or when the last refund failed or came back after that.
    """
    refunds = Refund.objects.filter(escrow=OuterRef("pk"), source="escrow")
    failed = refunds.filter(state=RefundState.FAILED.value).order_by("-processed_at")
    escrows = Escrow.objects.filter(
        ~Exists(refunds.filter(state__in=[state.value for state in OPEN_REFUNDS])),
        ~approvals.open_for_outer(),
        state=EscrowState.FUNDED.value,
        frozen_at=None,
        milestone__state=MilestoneState.CANCELLED.value,
    )
    return escrows.annotate(
        stranded_at=Greatest("milestone__cancelled_at", Subquery(failed.values("processed_at")[:1]))
    )


def telling(stranded_at: datetime, now: datetime) -> int | None:
    """Return which telling is due, as its number of days; None if it is too early."""
    return max((days for days in TELLING_DAYS if stranded_at + timedelta(days=days) <= now), default=None)
