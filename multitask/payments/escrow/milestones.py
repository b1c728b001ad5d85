"""The state of a milestone, as it follows the work and the money."""

from datetime import datetime
from typing import Final

from multitask.payments.models import Milestone
from multitask.payments.states import CLOSED_MILESTONES, MilestoneState, require

_TIMES: Final = {
    MilestoneState.STARTED: "started_at",
    MilestoneState.DELIVERED: "delivered_at",
    MilestoneState.COMPLETED: "completed_at",
    MilestoneState.CANCELLED: "cancelled_at",
}


def advance(milestone: Milestone, state: MilestoneState, now: datetime) -> None:
    """Move a milestone to a state that may follow its own; the caller holds its lock. Raises WrongStep."""
    require(milestone.milestone_state, state)
    milestone.state = state.value
    changed = ["state"]
    if state in _TIMES:
        setattr(milestone, _TIMES[state], now)
        changed.append(_TIMES[state])
    milestone.save(update_fields=changed)


def close(milestone: Milestone, state: MilestoneState, now: datetime) -> None:
    """Complete or cancel a milestone whose money has left escrow, unless it is closed; the caller holds its lock."""
    if milestone.milestone_state not in CLOSED_MILESTONES:
        advance(milestone, state, now)
