"""The statuses of a task and of an application."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from multitask.payments.states import CLOSED_MILESTONES, MilestoneState


class TaskStatus(StrEnum):
    """The displayed status of a task."""

    OPEN = "open"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ApplicationStatus(StrEnum):
    """The status of an application."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


# The task's status for each state of its current milestone.
BY_MILESTONE: Final = {
    MilestoneState.AGREED: TaskStatus.ASSIGNED,
    MilestoneState.FUNDED: TaskStatus.ASSIGNED,
    MilestoneState.STARTED: TaskStatus.IN_PROGRESS,
    MilestoneState.DELIVERED: TaskStatus.DELIVERED,
    MilestoneState.COMPLETED: TaskStatus.COMPLETED,
    MilestoneState.CANCELLED: TaskStatus.CANCELLED,
}


def status_of(states: Iterable[MilestoneState]) -> TaskStatus:
    """Return the status of a task from the states of its milestones, in order: that of the first open one.

    If all are closed, the task is completed if any milestone was completed, else cancelled.
    """
    all_states = list(states)
    for state in all_states:
        if state not in CLOSED_MILESTONES:
            return BY_MILESTONE[state]
    return TaskStatus.COMPLETED if MilestoneState.COMPLETED in all_states else TaskStatus.CANCELLED
