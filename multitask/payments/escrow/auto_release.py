"""Release because the client has been silent since the delivery."""

from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from multitask import database
from multitask.payments.authorization import approvals, locks
from multitask.payments.books import audit
from multitask.payments.errors import (
    DisputeOpen,
    EscrowFrozen,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import milestone_states, releases
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState
from multitask.users.actor import Actor

AUTO_RELEASE: Final = Actor.system("auto_release")


def due(*, now: datetime) -> list[int]:
    """Return the ids of all escrows whose client has not answered a delivery in time, oldest first."""
    open_refunds = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[s.value for s in OPEN_REFUNDS]
    )
    due = Escrow.objects.filter(
        ~Exists(open_refunds),
        ~approvals.open_for_outer(),
        state=EscrowState.FUNDED.value,
        auto_release_at__lte=now,
        frozen_at=None,
        milestone__state__in=[MilestoneState.DELIVERED.value, MilestoneState.COMPLETED.value],
    )
    return list(due.order_by("auto_release_at").values_list("pk", flat=True))


@database.transactional
def release(*, escrow_id: int, now: datetime) -> bool:
    """Release one escrow because of silence; return False if it is no longer due."""
    escrow = locks.lock_by_id(escrow_id)
    if escrow.auto_release_at is None or escrow.auto_release_at > now:
        return False
    try:
        owes = releases.require_releasable(escrow)
    except (DisputeOpen, EscrowFrozen, NotFunded, RefundInProgress, WrongState):
        return False
    if escrow.milestone.state == MilestoneState.DELIVERED.value:
        milestone_states.advance(escrow.milestone, MilestoneState.COMPLETED, now)
        audit.record("completed", actor=AUTO_RELEASE, now=now, escrow=escrow)
    elif escrow.milestone.state != MilestoneState.COMPLETED.value:
        return False
    silence = f"No answer within {escrow.auto_release_days} days of delivery"
    releases.release_amount(escrow, escrow.remaining, actor=AUTO_RELEASE, now=now, note=silence, owes=owes)
    return True
