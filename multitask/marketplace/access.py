"""Which tasks and applications an actor may see, and the locks that every step takes.

A task's row is the one lock of everything that belongs to the task: each command takes it
first and reads afterwards, so that commands on one task come one after the other.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from multitask.marketplace.errors import ApplicationNotFound, TaskNotFound
from multitask.marketplace.models import Application, Task, TaskQuerySet
from multitask.marketplace.states import TaskStatus
from multitask.users.actor import Actor, Power


def visible_tasks(actor: Actor) -> TaskQuerySet:
    """Select what an actor may see: open tasks, those they have a part in, and for staff all."""
    if actor.may(Power.READ_ANY):
        return Task.objects.all()
    if actor.user_id is None:
        return Task.objects.none()
    applied = Application.objects.filter(task=OuterRef("pk"), freelancer_id=actor.user_id)
    return Task.objects.filter(
        Q(state=TaskStatus.OPEN) | Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id) | Exists(applied)
    )


def visible_task(actor: Actor, task_id: int) -> Task:
    """Read a task that the actor may see. Raises TaskNotFound."""
    task = visible_tasks(actor).filter(pk=task_id).with_work().first()
    if task is None:
        raise TaskNotFound
    return task


def visible_applications(actor: Actor) -> QuerySet[Application]:
    """Select an actor's own applications, those for their tasks, and for staff all."""
    if actor.may(Power.READ_ANY):
        return Application.objects.all()
    if actor.user_id is None:
        return Application.objects.none()
    return Application.objects.filter(Q(freelancer_id=actor.user_id) | Q(task__client_id=actor.user_id))


def locked_task(actor: Actor, task_id: int) -> Task:
    """Lock a task that the actor may see, until the transaction ends. Raises TaskNotFound."""
    # Locked before it is judged: a task may become visible or invisible while the lock is awaited.
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
