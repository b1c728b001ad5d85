"""The states of a task and of an application, and the steps between them."""

from enum import StrEnum


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


STEPS: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.OPEN: frozenset({TaskStatus.ASSIGNED, TaskStatus.CANCELLED}),
    TaskStatus.ASSIGNED: frozenset({TaskStatus.IN_PROGRESS, TaskStatus.DELIVERED, TaskStatus.CANCELLED}),
    TaskStatus.IN_PROGRESS: frozenset({TaskStatus.DELIVERED, TaskStatus.CANCELLED}),
    TaskStatus.DELIVERED: frozenset({TaskStatus.COMPLETED, TaskStatus.CANCELLED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}


def leads_to(status: str, following: TaskStatus) -> bool:
    """Say whether a task may go straight from one state to another."""
    return following in STEPS[TaskStatus(status)]
