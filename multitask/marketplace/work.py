"""The work on an assigned task: start, deliver, complete, cancel.

Whether the money allows a step is not asked here; payments asks it and then calls this.
"""

from datetime import datetime

from multitask.database import transactional
from multitask.marketplace import access, board
from multitask.marketplace.errors import NotYourPart, TaskError
from multitask.marketplace.models import Task
from multitask.marketplace.states import TaskStatus, leads_to
from multitask.users import powers
from multitask.users.actor import Actor, Power


class TaskStateConflict(TaskError):
    """The task is in a state from which this step does not lead."""

    code = "task_state_conflict"
    message = "The task is not in a state that allows this step."


@transactional
def start(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Begin to work, as the assigned freelancer. Raises TaskNotFound, NotYourPart or TaskStateConflict."""
    task = access.locked_task(actor, task_id)
    if not actor.is_user(task.freelancer_id):
        raise NotYourPart("Only the assigned freelancer can start the task.")
    task.started_at = now
    return _step(task, TaskStatus.IN_PROGRESS, "started_at")


@transactional
def deliver(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Hand the work over, as the assigned freelancer. Raises TaskNotFound, NotYourPart or TaskStateConflict."""
    task = access.locked_task(actor, task_id)
    if not actor.is_user(task.freelancer_id):
        raise NotYourPart("Only the assigned freelancer can deliver the task.")
    task.delivered_at = now
    return _step(task, TaskStatus.DELIVERED, "delivered_at")


@transactional
def complete(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Confirm delivered work, as its client; the system does it for a client who has been silent for too long.

    Raises TaskNotFound, NotYourPart or TaskStateConflict.
    """
    task = access.locked_task(actor, task_id)
    if not (actor.is_user(task.client_id) or actor.is_system):
        raise NotYourPart("Only the task's client can confirm that it is complete.")
    task.completed_at = now
    return _step(task, TaskStatus.COMPLETED, "completed_at")


@transactional
def cancel(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Call a task off.

    The client may until the work has started, the assigned freelancer and staff until it is
    completed. Raises TaskNotFound, NotYourPart, ProofNeeded or TaskStateConflict.
    """
    task = access.locked_task(actor, task_id)
    if not _has_part(actor, task):
        refusal = NotYourPart("Only the task's client, its freelancer and staff can cancel it.")
        powers.require(actor, Power.CANCEL_TASK, refusal)
    if not _may_cancel_now(actor, task):
        raise TaskStateConflict(f"A task that is {_spoken(task.status)} cannot be cancelled.")
    board.reject_pending(task, now=now)
    task.cancelled_at = now
    return _step(task, TaskStatus.CANCELLED, "cancelled_at")


def _has_part(actor: Actor, task: Task) -> bool:
    return actor.is_user(task.client_id) or actor.is_user(task.freelancer_id)


def _may_cancel_now(actor: Actor, task: Task) -> bool:
    if not leads_to(task.status, TaskStatus.CANCELLED):
        return False
    # Whoever has a part in a task acts as that part, whatever the staff may do in tasks of others.
    if actor.is_user(task.client_id):
        return task.status in {TaskStatus.OPEN, TaskStatus.ASSIGNED}
    return True


def _step(task: Task, following: TaskStatus, stamp: str) -> Task:
    if not leads_to(task.status, following):
        raise TaskStateConflict(f"The task is {_spoken(task.status)}, so it cannot become {_spoken(following)}.")
    task.status = following
    task.save(update_fields=["status", stamp])
    return task


def _spoken(status: str) -> str:
    return status.replace("_", " ")
