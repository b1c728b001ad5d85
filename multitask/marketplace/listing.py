"""Tasks and applications for lists and single pages; reads only."""

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from multitask.marketplace import access
from multitask.marketplace.errors import ApplicationNotFound, TaskNotFound
from multitask.marketplace.models import Application, Task, TaskQuerySet
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.users.actor import Actor


def task(actor: Actor, *, task_id: int) -> Task:
    """Return one task. Raises TaskNotFound."""
    found = _listed(access.visible_tasks(actor)).filter(pk=task_id).first()
    if found is None:
        raise TaskNotFound
    return found


def tasks(actor: Actor, *, status: TaskStatus | None = None, search: str = "") -> QuerySet[Task]:
    """Select all tasks that the actor may see, newest first."""
    rows = access.visible_tasks(actor)
    if search:
        rows = rows.filter(Q(title__icontains=search) | Q(description__icontains=search))
    return _listed(_with_status(rows, status))


def own_tasks(actor: Actor, *, status: TaskStatus | None = None) -> QuerySet[Task]:
    """Select the tasks that the actor has posted or is assigned to, newest first."""
    own = Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id)
    return _listed(_with_status(Task.objects.filter(own), status))


def application(actor: Actor, *, application_id: int) -> Application:
    """Return one application. Raises ApplicationNotFound."""
    found = _shown(access.visible_applications(actor)).filter(pk=application_id).first()
    if found is None:
        raise ApplicationNotFound
    return found


def applications_for(actor: Actor, *, task_id: int) -> QuerySet[Application]:
    """Select the applications for a task that the actor may see. Raises TaskNotFound."""
    access.visible_task(actor, task_id)
    return _shown(access.visible_applications(actor).filter(task_id=task_id))


def own_applications(actor: Actor, *, status: ApplicationStatus | None = None) -> QuerySet[Application]:
    """Select the actor's own applications, newest first."""
    rows = Application.objects.filter(freelancer_id=actor.user_id)
    return _shown(rows if status is None else rows.filter(status=status))


def applications_count(listed: Task) -> int:
    """Return the number of applications that are not withdrawn, for a task from one of these queries."""
    # The query adds this attribute; the model does not declare it.
    return int(vars(listed)["applications_count"])


def _with_status(rows: TaskQuerySet, status: TaskStatus | None) -> TaskQuerySet:
    return rows if status is None else rows.in_status(status)


def _listed(rows: TaskQuerySet) -> QuerySet[Task]:
    counted = (
        Application.objects.filter(task=OuterRef("pk"))
        .exclude(status=ApplicationStatus.WITHDRAWN)
        .order_by()
        .values("task")
        .annotate(total=Count("pk"))
        .values("total")
    )
    return (
        rows.with_work()
        .select_related("client", "freelancer", "accepted_application", "agreement")
        .annotate(applications_count=Coalesce(Subquery(counted, output_field=IntegerField()), 0))
        .order_by("-pk")
    )


def _shown(rows: QuerySet[Application]) -> QuerySet[Application]:
    return rows.select_related("task", "freelancer").order_by("-pk")
