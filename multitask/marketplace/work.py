"""The work on a task: start, deliver, complete, cancel.

Each step is taken on the current milestone of the task's agreement. Errors are those of the marketplace.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from multitask.database import transactional
from multitask.marketplace import access, applications
from multitask.marketplace.errors import NotYourPart, TaskError
from multitask.marketplace.models import Task
from multitask.marketplace.states import TaskStatus
from multitask.payments.agreements import milestone_work
from multitask.payments.errors import WorkStateConflict
from multitask.payments.models import Milestone
from multitask.users import powers
from multitask.users.actor import Actor, Power


class TaskStateConflict(TaskError):
    """The status of the task does not allow this step."""

    code = "task_state_conflict"
    message = "The task is not in a state that allows this step."


def start(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Start the work, as the assigned freelancer.

    Raises TaskNotFound, NotYourPart, TaskStateConflict, WrongState or EscrowFrozen.
    """
    task = access.visible_task(actor, task_id)
    if not actor.is_user(task.freelancer_id):
        raise NotYourPart("Only the assigned freelancer can start the task.")
    return _step(milestone_work.start, task, actor, now)


def deliver(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Deliver the work, as the assigned freelancer.

    Raises TaskNotFound, NotYourPart, TaskStateConflict, NotFunded, WrongState or EscrowFrozen.
    """
    task = access.visible_task(actor, task_id)
    if not actor.is_user(task.freelancer_id):
        raise NotYourPart("Only the assigned freelancer can deliver the task.")
    return _step(milestone_work.deliver, task, actor, now)


def complete(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Confirm delivered work, as the task's client.

    Raises TaskNotFound, NotYourPart, TaskStateConflict or EscrowFrozen.
    """
    task = access.visible_task(actor, task_id)
    if not actor.is_user(task.client_id):
        raise NotYourPart("Only the task's client can confirm that it is complete.")
    return _step(milestone_work.complete, task, actor, now)


@transactional
def cancel(*, actor: Actor, now: datetime, task_id: int) -> Task:
    """Cancel a task.

    The client may cancel until the work has started, the assigned freelancer and staff until it is completed. Raises
    TaskNotFound, NotYourPart, ProofNeeded, TaskStateConflict or WrongState.
    """
    task = access.locked_task(actor, task_id)
    if not (actor.is_user(task.client_id) or actor.is_user(task.freelancer_id)):
        refusal = NotYourPart("Only the task's client, its freelancer and staff can cancel it.")
        powers.require(actor, Power.CANCEL_TASK, refusal)
    if task.agreement_id is not None:
        return _step(milestone_work.cancel, task, actor, now)
    if task.status is not TaskStatus.OPEN:
        raise _conflict(task)
    applications.reject_pending(task, now=now)
    task.state, task.withdrawn_at = TaskStatus.CANCELLED, now
    task.save(update_fields=["state", "withdrawn_at"])
    return task


def _step(step: Callable[..., Milestone], task: Task, actor: Actor, now: datetime) -> Task:
    milestone_id = current(task.milestones)
    if milestone_id is None:
        raise _conflict(task)
    try:
        step(actor=actor, milestone_id=milestone_id, now=now)
    except WorkStateConflict as error:
        raise _conflict(access.visible_task(actor, task.pk)) from error
    return access.visible_task(actor, task.pk)


def current(milestones: Sequence[Milestone]) -> int | None:
    """Return the id of the current milestone: the first that is not closed, else the last; None without milestones."""
    ids = [one.pk for one in milestones if not one.is_closed] or [one.pk for one in milestones[-1:]]
    return ids[0] if ids else None


def _conflict(task: Task) -> TaskStateConflict:
    status = task.status.value.replace("_", " ")
    return TaskStateConflict(f"The task is {status}, so this step is not possible.")
