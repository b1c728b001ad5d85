"""Escrows whose money comes back, since a loss did not last: they are where they were before the loss closed them."""

from datetime import datetime, timedelta

from multitask.payments.books import audit
from multitask.payments.escrow import disputes, milestone_states
from multitask.payments.models import Escrow
from multitask.payments.states import (
    HOLDING_ESCROWS,
    OPEN_REFUNDS,
    EscrowState,
    MilestoneState,
    RefundState,
    require,
)


def reopen(escrow: Escrow, now: datetime) -> None:
    """Reopen an escrow, its milestone and its dispute; the caller holds the lock and saves the escrow.

    Nobody has decided about the money that came back. So a milestone that was cancelled only because nothing was left
    is no longer cancelled, or the client could take back alone what delivered work is to be paid with. One that a
    person called off stays cancelled.
    """
    was_closed = escrow.escrow_state not in HOLDING_ESCROWS
    if was_closed:
        require(escrow.escrow_state, EscrowState.FUNDED)
        escrow.state, escrow.refunded_at = EscrowState.FUNDED.value, None
    milestone = escrow.milestone
    if milestone.milestone_state is MilestoneState.CANCELLED and not audit.has_happened("task_cancelled", escrow):
        milestone_states.resume(milestone)
    if was_closed:
        escrow.auto_release_at = _silence_until(escrow, now)
        open_refunds = escrow.refunds.filter(source="escrow", state__in=[state.value for state in OPEN_REFUNDS])
        if not open_refunds.exists():
            disputes.reopen(escrow, now)


def _silence_until(escrow: Escrow, now: datetime) -> datetime | None:
    """Return when silence releases delivered work: the client has the whole time again to look at it.

    Never after a refund failed since the delivery: it was decided, so the rest needs a new decision.
    """
    milestone = escrow.milestone
    if milestone.milestone_state not in {MilestoneState.DELIVERED, MilestoneState.COMPLETED}:
        return None
    failed = escrow.refunds.filter(source="escrow", state=RefundState.FAILED.value)
    if milestone.delivered_at is None or failed.filter(processed_at__gte=milestone.delivered_at).exists():
        return None
    return now + timedelta(days=escrow.auto_release_days)
