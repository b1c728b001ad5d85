"""Applications: freelancers apply for a task, the client accepts one of them, and an agreement is opened."""

from datetime import datetime

from multitask import text
from multitask.database import transactional
from multitask.marketplace import access, references, tasks
from multitask.marketplace.errors import NotYourPart, TaskError
from multitask.marketplace.models import COVER_LETTER_MAX, Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.money import CurrencyMismatch, Money
from multitask.payments.agreements import agreements
from multitask.users.actor import Actor


class NotAFreelancer(TaskError):
    """The actor is not a freelancer."""

    code = "not_a_freelancer"
    message = "Only a freelancer can apply for a task."


class OwnTask(TaskError):
    """The actor is the task's client."""

    code = "own_task"
    message = "You cannot apply for your own task."


class TaskNotOpen(TaskError):
    """The task is assigned, done or cancelled."""

    code = "task_not_open"
    message = "This task is no longer open."


class AlreadyApplied(TaskError):
    """The freelancer has applied for this task already."""

    code = "already_applied"
    message = "You have applied for this task already."


class ApplicationNotPending(TaskError):
    """The application has been accepted, rejected or withdrawn."""

    code = "application_not_pending"
    message = "This application has been decided already."


class FreelancerUnavailable(TaskError):
    """The freelancer's account is closed or no longer has the freelancer role."""

    code = "freelancer_unavailable"
    message = "This freelancer is no longer available."


@transactional
def apply(
    *,
    actor: Actor,
    now: datetime,
    task_id: int,
    amount: Money | None = None,
    cover_letter: str = "",
) -> Application:
    """Apply for an open task, for `amount` or else its budget.

    A withdrawn application is reused. Raises TaskNotFound, NotAFreelancer, OwnTask, TaskNotOpen, AlreadyApplied,
    CurrencyMismatch or InvalidTask.
    """
    task = access.locked_task(actor, task_id)
    freelancer_id = _refuse_applicant(actor, task)
    amount = amount or task.budget
    if amount.currency != task.currency:
        raise CurrencyMismatch(fields={"currency": f"This task is priced in {task.currency}."})
    letter = text.tidy(cover_letter)
    tasks.refuse(
        {
            "cover_letter": text.complaint(letter, longest=COVER_LETTER_MAX, lines=True),
            "proposed_amount": tasks.amount_complaint(amount),
        }
    )
    earlier = Application.objects.filter(task=task, freelancer_id=freelancer_id).first()
    if earlier is not None and earlier.status != ApplicationStatus.WITHDRAWN:
        raise AlreadyApplied
    application = earlier or Application(task=task, freelancer_id=freelancer_id)
    application.task = task
    application.amount_minor = amount.amount_minor
    application.cover_letter = letter
    application.status = ApplicationStatus.PENDING
    application.created_at, application.decided_at = now, None
    application.save()
    return application


@transactional
def withdraw_application(*, actor: Actor, now: datetime, application_id: int) -> Application:
    """Withdraw an application, as its freelancer. Raises ApplicationNotFound, NotYourPart or ApplicationNotPending."""
    application = access.locked_application(actor, application_id)
    if not actor.is_user(application.freelancer_id):
        raise NotYourPart
    _decide(application, ApplicationStatus.WITHDRAWN, now=now)
    return application


@transactional
def reject(*, actor: Actor, now: datetime, application_id: int) -> Application:
    """Reject an application, as the task's client. Raises ApplicationNotFound, NotYourPart or ApplicationNotPending."""
    application = access.locked_application(actor, application_id)
    if not actor.is_user(application.task.client_id):
        raise NotYourPart
    _decide(application, ApplicationStatus.REJECTED, now=now)
    return application


@transactional
def accept(*, actor: Actor, now: datetime, application_id: int) -> Application:
    """Accept an application, as the client: assign the task, open the agreement, and reject the other applications.

    Raises ApplicationNotFound, NotYourPart, TaskNotOpen, ApplicationNotPending, FreelancerUnavailable,
    CurrencyUnsupported or an error about the amount.
    """
    application = access.locked_application(actor, application_id)
    task = application.task
    if not actor.is_user(task.client_id):
        raise NotYourPart
    if task.state != TaskStatus.OPEN:
        raise TaskNotOpen
    freelancer = application.freelancer
    if not (freelancer.is_active and freelancer.is_freelancer):
        raise FreelancerUnavailable
    _decide(application, ApplicationStatus.ACCEPTED, now=now)
    reject_pending(task, now=now)
    task.agreement = agreements.open_agreement(
        payer_id=task.client_id,
        payee_id=application.freelancer_id,
        title=task.title,
        price=Money(application.amount_minor, task.currency),
        reference=references.of_task(task.pk),
        link=f"/tasks/{task.pk}/payment/",
        now=now,
    )
    task.state, task.assigned_at = TaskStatus.ASSIGNED, now
    task.freelancer_id, task.accepted_application = application.freelancer_id, application
    task.save(update_fields=["state", "assigned_at", "freelancer", "accepted_application", "agreement"])
    return application


def reject_pending(task: Task, *, now: datetime) -> None:
    """Reject all pending applications of a task; the caller holds its lock."""
    task.applications.filter(status=ApplicationStatus.PENDING).update(status=ApplicationStatus.REJECTED, decided_at=now)


def _refuse_applicant(actor: Actor, task: Task) -> int:
    """Return the applicant's user id. Raises OwnTask, NotAFreelancer or TaskNotOpen."""
    if actor.is_user(task.client_id):
        raise OwnTask
    if not actor.is_freelancer or actor.user_id is None:
        raise NotAFreelancer
    if task.state != TaskStatus.OPEN:
        raise TaskNotOpen
    return actor.user_id


def _decide(application: Application, status: ApplicationStatus, *, now: datetime) -> None:
    if application.status != ApplicationStatus.PENDING:
        raise ApplicationNotPending
    application.status, application.decided_at = status, now
    application.save(update_fields=["status", "decided_at"])
