"""Tasks and the applications for them, with every rule that the database can hold."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.money import Money

TITLE_MAX = 200
DESCRIPTION_MAX = 10_000
COVER_LETTER_MAX = 5_000

_WITH_FREELANCER = [
    TaskStatus.ASSIGNED,
    TaskStatus.IN_PROGRESS,
    TaskStatus.DELIVERED,
    TaskStatus.COMPLETED,
]


class Task(models.Model):
    """One piece of work that a client wants done, for at most its budget."""

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
    status = models.CharField(max_length=12, default=TaskStatus.OPEN)
    deadline_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    assigned_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        """Lists come newest first, so each index ends with the id."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "-id"], name="tasks_task_by_status"),
            models.Index(fields=["client", "-id"], name="tasks_task_by_client"),
            models.Index(fields=["freelancer", "-id"], name="tasks_task_by_freelancer"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(condition=Q(status__in=list(TaskStatus)), name="tasks_task_status"),
            CheckConstraint(condition=Q(budget_minor__gt=0), name="tasks_task_budget_positive"),
            CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="tasks_task_currency"),
            CheckConstraint(
                condition=Q(freelancer=None) | ~Q(freelancer=F("client")),
                name="tasks_task_two_people",
            ),
            CheckConstraint(
                condition=Q(freelancer=None, accepted_application=None, assigned_at=None)
                | Q(
                    freelancer__isnull=False,
                    accepted_application__isnull=False,
                    assigned_at__isnull=False,
                ),
                name="tasks_task_assigned_whole",
            ),
            CheckConstraint(
                condition=Q(status=TaskStatus.CANCELLED)
                | Q(status=TaskStatus.OPEN, freelancer=None)
                | Q(status__in=_WITH_FREELANCER, freelancer__isnull=False),
                name="tasks_task_freelancer_by_status",
            ),
            CheckConstraint(
                condition=~Q(status__in=[TaskStatus.DELIVERED, TaskStatus.COMPLETED]) | Q(delivered_at__isnull=False),
                name="tasks_task_delivered_at",
            ),
            CheckConstraint(
                condition=Q(status=TaskStatus.COMPLETED, completed_at__isnull=False)
                | (~Q(status=TaskStatus.COMPLETED) & Q(completed_at=None)),
                name="tasks_task_completed_at",
            ),
            CheckConstraint(
                condition=Q(status=TaskStatus.CANCELLED, cancelled_at__isnull=False)
                | (~Q(status=TaskStatus.CANCELLED) & Q(cancelled_at=None)),
                name="tasks_task_cancelled_at",
            ),
        ]

    def __str__(self) -> str:
        """Show the title."""
        return self.title

    @property
    def budget(self) -> Money:
        """Say what the client wants to spend at most."""
        return Money(self.budget_minor, self.currency)

    @property
    def agreed_price(self) -> Money | None:
        """Say what the accepted application asks for; None while nobody is assigned."""
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
            models.Index(fields=["freelancer", "-id"], name="tasks_application_by_user"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(condition=Q(status__in=list(ApplicationStatus)), name="tasks_application_status"),
            CheckConstraint(condition=Q(amount_minor__gt=0), name="tasks_application_positive"),
            CheckConstraint(
                condition=Q(status=ApplicationStatus.PENDING, decided_at=None)
                | (~Q(status=ApplicationStatus.PENDING) & Q(decided_at__isnull=False)),
                name="tasks_application_decided_at",
            ),
            UniqueConstraint(fields=["task", "freelancer"], name="tasks_application_once"),
            UniqueConstraint(
                fields=["task"],
                condition=Q(status=ApplicationStatus.ACCEPTED),
                name="tasks_application_one_accepted",
            ),
            # What the task's own reference to its accepted application points at.
            UniqueConstraint(fields=["id", "task", "freelancer"], name="tasks_application_whole"),
        ]

    def __str__(self) -> str:
        """Show which application it is."""
        return f"application {self.pk} for task {self.task_id}"

    @property
    def amount(self) -> Money:
        """Say what the freelancer asks for."""
        return Money(self.amount_minor, self.task.currency)
