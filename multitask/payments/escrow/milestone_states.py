"""State changes of a milestone, caused by the work or by the escrow."""

from datetime import datetime
from typing import Final

from multitask.payments.models import Milestone
from multitask.payments.states import MilestoneState, may, require, resumed

_TIMES: Final = {
    MilestoneState.STARTED: "started_at",
    MilestoneState.DELIVERED: "delivered_at",
    MilestoneState.COMPLETED: "completed_at",
    MilestoneState.CANCELLED: "cancelled_at",
}


def advance(milestone: Milestone, state: MilestoneState, now: datetime) -> None:
    """Change a milestone's state and set its time; the caller holds the lock. Raises WrongStep."""
    require(milestone.milestone_state, state)
    milestone.state = state.value
    milestone.cancelled_at = None
    changed = ["state", "cancelled_at"]
    if state in _TIMES:
        setattr(milestone, _TIMES[state], now)
        changed.append(_TIMES[state])
    milestone.save(update_fields=changed)


def resume(milestone: Milestone) -> None:
    """Undo a cancellation that nobody asked for; the caller holds the lock and knows that.

    The times of the work say where it was. No step leads there: nobody resumes what a person has called off.
    """
    is_started, is_delivered = milestone.started_at is not None, milestone.delivered_at is not None
    milestone.state = resumed(is_started=is_started, is_delivered=is_delivered).value
    milestone.cancelled_at = None
    milestone.save(update_fields=["state", "cancelled_at"])


def close(milestone: Milestone, state: MilestoneState, now: datetime) -> None:
    """Complete or cancel a milestone whose money has left escrow, if it may; the caller holds the lock.

    One that was called off becomes completed when its money is released; a completed one stays so when refunded.
    """
    if may(milestone.milestone_state, state):
        advance(milestone, state, now)
