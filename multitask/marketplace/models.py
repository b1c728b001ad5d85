"""Tasks and the applications for them, with all constraints that the database can check.

An assigned task has an agreement with one milestone, which carries the state of the work.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Case, CheckConstraint, F, OuterRef, Q, Subquery, UniqueConstraint, When

from multitask.marketplace.states import BY_MILESTONE, ApplicationStatus, TaskStatus, status_of
from multitask.money import Money
from multitask.payments.models import Agreement, Milestone
from multitask.payments.states import MilestoneState

TITLE_MAX = 200
DESCRIPTION_MAX = 10_000
COVER_LETTER_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """When the steps of a task's work happened; None for those that have not."""

    started_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None


class TaskQuerySet(models.QuerySet["Task"]):
    """Queries on tasks by their displayed status."""

    def in_status(self, *statuses: TaskStatus) -> "TaskQuerySet":
        """Select the tasks whose displayed status is one of these."""
        # As `status_of` decides: the first that is not closed, else a completed one, else a cancelled one.
        open_first = Case(
            When(state=MilestoneState.COMPLETED.value, then=1),
            When(state=MilestoneState.CANCELLED.value, then=2),
            default=0,
        )
        current = Milestone.objects.filter(agreement=OuterRef("agreement")).order_by(open_first, "position")
        wanted = [state.value for state, status in BY_MILESTONE.items() if status in statuses]
        own = [status for status in statuses if status in {TaskStatus.OPEN, TaskStatus.CANCELLED}]
        rows = self.annotate(work_state=Subquery(current.values("state")[:1]))
        return rows.filter(Q(agreement=None, state__in=own) | Q(work_state__in=wanted))

    def with_work(self) -> "TaskQuerySet":
        """Also load the agreement and its milestones, which `Task.status` needs."""
        return self.select_related("agreement").prefetch_related("agreement__milestones")


class Task(models.Model):
    """A piece of work that a client wants done, with a budget.

    `state` is open, assigned, or cancelled before assignment; `status` also follows the work and is what is displayed.
    """

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="posted_tasks")
    freelancer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="assigned_tasks"
    )
    accepted_application = models.OneToOneField("Application", on_delete=models.PROTECT, null=True, related_name="+")
    title = models.CharField(max_length=TITLE_MAX)
    description = models.TextField(max_length=DESCRIPTION_MAX)
    budget_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    agreement = models.OneToOneField(Agreement, on_delete=models.PROTECT, null=True, related_name="task")
    state = models.CharField(max_length=12, default=TaskStatus.OPEN)
    deadline_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    assigned_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        """Each index ends with the id, since lists show the newest first."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "-id"], name="marketplace_task_state"),
            models.Index(fields=["client", "-id"], name="marketplace_task_client"),
            models.Index(fields=["freelancer", "-id"], name="marketplace_task_freelancer"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(condition=Q(budget_minor__gt=0), name="marketplace_task_budget_positive"),
            CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="marketplace_task_currency"),
            CheckConstraint(
                condition=Q(freelancer=None) | ~Q(freelancer=F("client")),
                name="marketplace_task_two_people",
            ),
            CheckConstraint(
                condition=Q(
                    state__in=[TaskStatus.OPEN, TaskStatus.CANCELLED],
                    freelancer=None,
                    accepted_application=None,
                    agreement=None,
                    assigned_at=None,
                )
                | Q(
                    state=TaskStatus.ASSIGNED,
                    freelancer__isnull=False,
                    accepted_application__isnull=False,
                    agreement__isnull=False,
                    assigned_at__isnull=False,
                ),
                name="marketplace_task_assigned_whole",
            ),
            CheckConstraint(
                condition=Q(state=TaskStatus.CANCELLED, withdrawn_at__isnull=False)
                | (~Q(state=TaskStatus.CANCELLED) & Q(withdrawn_at=None)),
                name="marketplace_task_withdrawn_at",
            ),
        ]

    def __str__(self) -> str:
        """Return the title."""
        return self.title

    @property
    def milestones(self) -> list[Milestone]:
        """The milestones of its agreement, in order; empty while no freelancer is assigned."""
        if self.agreement is None:
            return []
        return sorted(self.agreement.milestones.all(), key=lambda milestone: milestone.position)

    @property
    def times(self) -> "TaskTimes":
        """When the work was started, delivered, completed and cancelled; reads the milestones like `status`."""
        if not self.milestones:
            return TaskTimes(cancelled_at=self.withdrawn_at)
        milestones, status = self.milestones, self.status
        completed = [one.completed_at for one in milestones if one.completed_at is not None]
        cancelled = [one.cancelled_at for one in milestones if one.cancelled_at is not None]
        return TaskTimes(
            started_at=milestones[0].started_at,
            delivered_at=milestones[-1].delivered_at,
            completed_at=max(completed) if status is TaskStatus.COMPLETED else None,
            cancelled_at=max(cancelled) if status is TaskStatus.CANCELLED else None,
        )

    @property
    def status(self) -> TaskStatus:
        """The displayed status; reads the milestones unless `with_work` loaded them."""
        if self.agreement_id is None:
            return TaskStatus(self.state)
        return status_of(milestone.milestone_state for milestone in self.milestones)

    @property
    def budget(self) -> Money:
        """The amount that the client offers."""
        return Money(self.budget_minor, self.currency)

    @property
    def agreed_price(self) -> Money | None:
        """The amount of the accepted application; None while no freelancer is assigned."""
        application = self.accepted_application
        return None if application is None else Money(application.amount_minor, self.currency)


class Application(models.Model):
    """A freelancer's offer to do a task for an amount in the task's currency."""

    id = models.BigAutoField(primary_key=True)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="applications")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="applications")
    amount_minor = models.BigIntegerField()
    cover_letter = models.TextField(max_length=COVER_LETTER_MAX, blank=True, default="")
    status = models.CharField(max_length=10, default=ApplicationStatus.PENDING)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        """One application per freelancer and task, one accepted one per task."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["freelancer", "-id"], name="marketplace_application_user"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(condition=Q(status__in=list(ApplicationStatus)), name="marketplace_application_status"),
            CheckConstraint(condition=Q(amount_minor__gt=0), name="marketplace_application_positive"),
            CheckConstraint(
                condition=Q(status=ApplicationStatus.PENDING, decided_at=None)
                | (~Q(status=ApplicationStatus.PENDING) & Q(decided_at__isnull=False)),
                name="marketplace_application_decided_at",
            ),
            UniqueConstraint(fields=["task", "freelancer"], name="marketplace_application_once"),
            UniqueConstraint(
                fields=["task"],
                condition=Q(status=ApplicationStatus.ACCEPTED),
                name="marketplace_application_one_accepted",
            ),
            # The target of the task's foreign key to its accepted application.
            UniqueConstraint(fields=["id", "task", "freelancer"], name="marketplace_application_whole"),
        ]

    def __str__(self) -> str:
        """Return the ids of application and task."""
        return f"application {self.pk} for task {self.task_id}"

    @property
    def amount(self) -> Money:
        """The amount that the freelancer asks for."""
        return Money(self.amount_minor, self.task.currency)
