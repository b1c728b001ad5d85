"""Which tasks and applications an actor may see, and the locks that the commands take.

The lock of a task's row protects everything that belongs to the task: commands take it before they read, so that
commands on one task run one after the other.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from multitask.marketplace.errors import ApplicationNotFound, TaskNotFound
from multitask.marketplace.models import Application, Task, TaskQuerySet
from multitask.marketplace.states import TaskStatus
from multitask.users.actor import Actor, Power


def visible_tasks(actor: Actor) -> TaskQuerySet:
    """Select the tasks that an actor may see: open ones, their own, those they applied for; all for staff."""
    if actor.may(Power.READ_ANY):
        return Task.objects.all()
    if actor.user_id is None:
        return Task.objects.none()
    applied = Application.objects.filter(task=OuterRef("pk"), freelancer_id=actor.user_id)
    return Task.objects.filter(
        Q(state=TaskStatus.OPEN) | Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id) | Exists(applied)
    )


def visible_task(actor: Actor, task_id: int) -> Task:
    """Return a task that the actor may see. Raises TaskNotFound."""
    task = visible_tasks(actor).filter(pk=task_id).with_work().first()
    if task is None:
        raise TaskNotFound
    return task


def visible_applications(actor: Actor) -> QuerySet[Application]:
    """Select an actor's own applications and those for their tasks; all for staff."""
    if actor.may(Power.READ_ANY):
        return Application.objects.all()
    if actor.user_id is None:
        return Application.objects.none()
    return Application.objects.filter(Q(freelancer_id=actor.user_id) | Q(task__client_id=actor.user_id))


def locked_task(actor: Actor, task_id: int) -> Task:
    """Lock a task that the actor may see, until the transaction ends. Raises TaskNotFound."""
    # Visibility is checked after the lock is taken, since it may change while waiting for the lock.
    locked = Task.objects.select_for_update(no_key=True).filter(pk=task_id)
    if not list(locked.values_list("pk")):
        raise TaskNotFound
    return visible_task(actor, task_id)


def locked_application(actor: Actor, application_id: int) -> Application:
    """Lock an application's task, then read both. Raises ApplicationNotFound.

    The returned application's `task` is the locked row.
    """
    seen = visible_applications(actor).filter(pk=application_id).values_list("task_id").first()
    if seen is None:
        raise ApplicationNotFound
    task = Task.objects.select_for_update(no_key=True).get(pk=seen[0])
    application = Application.objects.get(pk=application_id)
    application.task = task
    return application
