"""`/api/tasks/`: the board, the applications, and the work."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.marketplace import access, applications, listing, tasks, work
from multitask.marketplace.models import COVER_LETTER_MAX, DESCRIPTION_MAX, TITLE_MAX, Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.money import Money
from multitask.users.actor import Actor
from multitask.web.api import auth, pagination
from multitask.web.api.operations import responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.schemas import (
    NOTHING,
    AmountIn,
    AmountOut,
    Body,
    CurrencyIn,
    CurrencyOut,
    Empty,
    Id,
    Line,
    Lines,
    MomentIn,
    Output,
    Page,
    amount_out,
    money,
)

router = Router(tags=["tasks"])


class TaskIn(Body):
    """A task to post; the currency is the client's own unless another is named."""

    title: Annotated[Line, Field(min_length=1, max_length=TITLE_MAX)]
    description: Annotated[Lines, Field(min_length=1, max_length=DESCRIPTION_MAX)]
    budget: AmountIn
    currency: CurrencyIn | None = None
    deadline: MomentIn | None = None


class ApplyIn(Body):
    """An application; the amount is in the task's currency, and its budget when left out."""

    cover_letter: Annotated[Lines, Field(max_length=COVER_LETTER_MAX)] = ""
    proposed_amount: AmountIn | None = None


class TaskOut(Output):
    """A task as everyone sees it who may see it."""

    id: int
    title: str
    description: str
    budget: AmountOut
    currency: CurrencyOut
    status: TaskStatus
    client: int
    client_username: str
    freelancer: int | None
    freelancer_username: str | None
    accepted_application: int | None
    agreed_price: AmountOut | None
    applications_count: int
    deadline: datetime | None
    created_at: datetime
    assigned_at: datetime | None
    started_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None


class ApplicationOut(Output):
    """An application as its freelancer and the task's client see it."""

    id: int
    task: int
    task_title: str
    freelancer: int
    freelancer_username: str
    proposed_amount: AmountOut
    currency: CurrencyOut
    cover_letter: str
    status: ApplicationStatus
    created_at: datetime
    decided_at: datetime | None
    payout_warning: Annotated[
        str,
        Field(
            description="Why the freelancer could not be paid out in the task's currency now, so that the money would"
            " wait: `no_account` or `no_bank_in_currency`, in a currency that is paid to payout destinations"
            " `identity_missing` or `destination_missing`; empty if nothing is missing."
        ),
    ]


FOR_THE_BUDGET = ApplyIn()
Search = Annotated[str, Field(max_length=100)]


@router.get("/", operation_id="tasks_list", response=responses({200: Page[TaskOut]}))
def list_tasks(
    request: HttpRequest,
    paging: PageQuery,
    status: TaskStatus | None = None,
    search: Search = "",
) -> Page[TaskOut]:
    """List the tasks that the caller may see, newest first: open ones and those they are a party to."""
    rows = listing.tasks(auth.actor_of(request), status=status, search=search)
    return pagination.page(request, paging, rows, show_task)


@router.post("/create/", operation_id="tasks_create", response=responses({201: TaskOut}, body=True))
def create(request: HttpRequest, body: TaskIn) -> Status[TaskOut]:
    """Post a task, as a client."""
    task = tasks.post_task(
        actor=auth.actor_of(request),
        now=timezone.now(),
        title=body.title,
        description=body.description,
        budget=money(body.budget, body.currency or auth.user_of(request).default_currency, field="budget"),
        deadline_at=body.deadline,
    )
    return Status(201, _task(request, task.pk))


@router.get("/my-tasks/", operation_id="tasks_mine", response=responses({200: Page[TaskOut]}))
def my_tasks(request: HttpRequest, paging: PageQuery, status: TaskStatus | None = None) -> Page[TaskOut]:
    """List the tasks that one has posted or is assigned to, newest first."""
    rows = listing.own_tasks(auth.actor_of(request), status=status)
    return pagination.page(request, paging, rows, show_task)


@router.get("/my-applications/", operation_id="applications_mine", response=responses({200: Page[ApplicationOut]}))
def my_applications(
    request: HttpRequest, paging: PageQuery, status: ApplicationStatus | None = None
) -> Page[ApplicationOut]:
    """List the caller's applications, newest first."""
    rows = listing.own_applications(auth.actor_of(request), status=status)
    return pagination.page(request, paging, rows, show_application)


@router.get("/{int:task_id}/", operation_id="tasks_get", response=responses({200: TaskOut}, 404))
def get(request: HttpRequest, task_id: Id) -> TaskOut:
    """Show a task."""
    return _task(request, task_id)


@router.post(
    "/{int:task_id}/apply/",
    operation_id="tasks_apply",
    response=responses({201: ApplicationOut}, 404, 409, body=True),
)
def apply(request: HttpRequest, task_id: Id, body: ApplyIn = FOR_THE_BUDGET) -> Status[ApplicationOut]:
    """Apply for an open task, as a freelancer."""
    actor = auth.actor_of(request)
    application = applications.apply(
        actor=actor,
        now=timezone.now(),
        task_id=task_id,
        amount=_proposed(actor, task_id, body.proposed_amount),
        cover_letter=body.cover_letter,
    )
    return Status(201, _application(request, application.pk))


@router.get(
    "/{int:task_id}/applications/",
    operation_id="tasks_applications",
    response=responses({200: Page[ApplicationOut]}, 404),
)
def list_applications(request: HttpRequest, task_id: Id, paging: PageQuery) -> Page[ApplicationOut]:
    """List a task's applications: all for its client, their own for a freelancer."""
    rows = listing.applications_for(auth.actor_of(request), task_id=task_id)
    return pagination.page(request, paging, rows, show_application)


def _deciding(path: str, name: str, command: Callable[..., Application], summary: str) -> None:
    """Add an operation that decides on an application."""

    def decide(request: HttpRequest, application_id: Id, body: Empty = NOTHING) -> ApplicationOut:
        command(actor=auth.actor_of(request), now=timezone.now(), application_id=application_id)
        return _application(request, application_id)

    router.post(
        f"/applications/{{int:application_id}}/{path}/",
        operation_id=f"applications_{name}",
        summary=summary,
        response=responses({200: ApplicationOut}, 404, 409, body=True),
    )(decide)


def _working(name: str, command: Callable[..., Task], summary: str) -> None:
    """Add an operation that moves a task one step forward."""

    def step(request: HttpRequest, task_id: Id, body: Empty = NOTHING) -> TaskOut:
        command(actor=auth.actor_of(request), now=timezone.now(), task_id=task_id)
        return _task(request, task_id)

    router.post(
        f"/{{int:task_id}}/{name}/",
        operation_id=f"tasks_{name}",
        summary=summary,
        response=responses({200: TaskOut}, 404, 409, body=True),
    )(step)


_deciding("accept", "accept", applications.accept, "Accept an application, as the task's client")
_deciding("reject", "reject", applications.reject, "Reject an application, as the task's client")
_deciding("withdraw", "withdraw", applications.withdraw_application, "Withdraw the caller's application")
_working("start", work.start, "Start the work, as the assigned freelancer")
_working("deliver", work.deliver, "Deliver the work, as the assigned freelancer")
_working("complete", work.complete, "Confirm delivered work, as the client")
_working("cancel", work.cancel, "Cancel the task")


def show_task(task: Task) -> TaskOut:
    """Make the answer that shows a task."""
    price, times = task.agreed_price, task.times
    return TaskOut(
        id=task.pk,
        title=task.title,
        description=task.description,
        budget=amount_out(task.budget),
        currency=task.currency,
        status=task.status,
        client=task.client_id,
        client_username=task.client.username,
        freelancer=task.freelancer_id,
        freelancer_username=task.freelancer.username if task.freelancer else None,
        accepted_application=task.accepted_application_id,
        agreed_price=amount_out(price) if price else None,
        applications_count=listing.applications_count(task),
        deadline=task.deadline_at,
        created_at=task.created_at,
        assigned_at=task.assigned_at,
        started_at=times.started_at,
        delivered_at=times.delivered_at,
        completed_at=times.completed_at,
        cancelled_at=times.cancelled_at,
    )


def show_application(application: Application) -> ApplicationOut:
    """Make the answer that shows an application."""
    return ApplicationOut(
        id=application.pk,
        task=application.task_id,
        task_title=application.task.title,
        freelancer=application.freelancer_id,
        freelancer_username=application.freelancer.username,
        proposed_amount=amount_out(application.amount),
        currency=application.task.currency,
        cover_letter=application.cover_letter,
        status=ApplicationStatus(application.status),
        created_at=application.created_at,
        decided_at=application.decided_at,
        payout_warning=listing.missing_for_payout(application),
    )


def _task(request: HttpRequest, task_id: int) -> TaskOut:
    return show_task(listing.task(auth.actor_of(request), task_id=task_id))


def _application(request: HttpRequest, application_id: int) -> ApplicationOut:
    return show_application(listing.application(auth.actor_of(request), application_id=application_id))


def _proposed(actor: Actor, task_id: int, amount: str | None) -> Money | None:
    """Read a proposed amount in the task's currency, which never changes."""
    if amount is None:
        return None
    return money(amount, access.visible_task(actor, task_id).currency, field="proposed_amount")
