"""Errors that several modules of the marketplace raise; others are defined where they are raised."""

from multitask.errors import DomainError


class TaskError(DomainError):
    """The base class of all errors of the marketplace."""

    code = "task_refused"


class TaskNotFound(TaskError):
    """The task does not exist, or the actor may not see it."""

    code = "task_not_found"
    message = "There is no such task."


class ApplicationNotFound(TaskError):
    """The application does not exist, or the actor may not see it."""

    code = "application_not_found"
    message = "There is no such application."


class NotYourPart(TaskError):
    """The actor may see the task, but only another role may take this step."""

    code = "not_your_part"
    message = "You may not take this step of the task."


class InvalidTask(TaskError):
    """Fields of a task or application are not valid; `fields` maps each to the reason."""

    code = "invalid_task"
    message = "Some fields of the task are not valid."
