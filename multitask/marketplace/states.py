"""The statuses of a task and of an application."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from multitask.payments.states import CLOSED_MILESTONES, MilestoneState


class TaskStatus(StrEnum):
    """Where a task is between being posted and being done."""

    OPEN = "open"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ApplicationStatus(StrEnum):
    """What became of an application."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


# What a task is called while its work is in a state.
BY_MILESTONE: Final = {
    MilestoneState.AGREED: TaskStatus.ASSIGNED,
    MilestoneState.FUNDED: TaskStatus.ASSIGNED,
    MilestoneState.STARTED: TaskStatus.IN_PROGRESS,
    MilestoneState.DELIVERED: TaskStatus.DELIVERED,
    MilestoneState.COMPLETED: TaskStatus.COMPLETED,
    MilestoneState.CANCELLED: TaskStatus.CANCELLED,
}


def status_of(states: Iterable[MilestoneState]) -> TaskStatus:
    """Return the status of a task with these milestones, in order: that of the first which is not closed.

    Once all are closed, the task is completed if any of them was.
    """
    all_states = list(states)
    for state in all_states:
        if state not in CLOSED_MILESTONES:
            return BY_MILESTONE[state]
    return TaskStatus.COMPLETED if MilestoneState.COMPLETED in all_states else TaskStatus.CANCELLED
