"""What several rules of the marketplace refuse alike; other refusals live beside their rule."""

from multitask.errors import DomainError


class TaskError(DomainError):
    """Any refusal of the marketplace."""

    code = "task_refused"


class TaskNotFound(TaskError):
    """There is no such task, or it is not the actor's to see."""

    code = "task_not_found"
    message = "There is no such task."


class ApplicationNotFound(TaskError):
    """There is no such application, or it is not the actor's to see."""

    code = "application_not_found"
    message = "There is no such application."


class NotYourPart(TaskError):
    """The actor may see the task, but this step belongs to somebody else."""

    code = "not_your_part"
    message = "This step of the task is not yours to take."


class InvalidTask(TaskError):
    """What was written about a task cannot be kept; `fields` says which part and why."""

    code = "invalid_task"
    message = "Some fields of the task are not valid."
