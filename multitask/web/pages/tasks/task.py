"""One task: apply, accept, start, deliver, complete, call off."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from multitask.marketplace import applications, listing, work
from multitask.marketplace.errors import TaskNotFound
from multitask.marketplace.models import COVER_LETTER_MAX, Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.payments.agreements import milestone_work
from multitask.payments.authorization import access
from multitask.payments.models import Escrow
from multitask.users.actor import Actor
from multitask.web.pages.base.confirmation import Confirmation, confirm_and_carry_out
from multitask.web.pages.base.fields import AmountField, TextField
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, carry_out, render_page, signed_in, user_of
from multitask.web.pages.escrow import next_steps
from multitask.web.pages.escrow.parties import parties_only
from multitask.web.pages.tasks import confirmations

MAY_BE_PAID = {ApplicationStatus.PENDING, ApplicationStatus.ACCEPTED}


class ApplyForm(forms.Form):
    """An application; the amount is the budget unless the freelancer changes it."""

    cover_letter = TextField(label=gettext_lazy("Why you"), lines=True, required=False, max_length=COVER_LETTER_MAX)

    def __init__(self, *args: Any, task: Task, **options: Any) -> None:
        """Add the amount field in the task's currency."""
        super().__init__(*args, **options)
        label = _("Your price in %(currency)s") % {"currency": task.currency}
        self.fields["amount"] = AmountField(currency=task.currency, label=label, initial=task.budget.to_major_string())
        self.order_fields(["amount", "cover_letter"])


def _task(actor: Actor, task_id: int) -> Task:
    try:
        return listing.task(actor, task_id=task_id)
    except TaskNotFound:
        raise Http404 from None


@require_GET
@signed_in
def show(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show a task, and what the reader can do with it."""
    actor = actor_of(request)
    return _page(request, actor, _task(actor, task_id))


def _page(
    request: HttpRequest, actor: Actor, task: Task, form: ApplyForm | None = None, *, status: int = 200
) -> HttpResponse:
    applications = list(listing.applications_for(actor, task_id=task.pk)[:100])
    is_client = actor.is_user(task.client_id)
    mine = next((found for found in applications if actor.is_user(found.freelancer_id)), None)
    candidates = applications if is_client else [mine] if mine else []
    escrow = _escrow(actor, task)
    may_apply = actor.is_freelancer and not is_client and mine is None and task.status == TaskStatus.OPEN
    context = {
        "task": task,
        "lacks": listing.missing_for_payout_of(user_of(request).pk, task.currency) if may_apply else _lacks(mine),
        "applications": _with_warnings(applications) if is_client or actor.is_staff else [],
        "mine": mine,
        "escrow": escrow,
        "is_client": is_client,
        "is_freelancer": actor.is_user(task.freelancer_id),
        "form": form or (ApplyForm(task=task) if may_apply else None),
        "steps": _steps(actor, task, escrow),
        "next": next_steps.of_task(task, actor, escrow, is_chosen_from=_has_pending(candidates)),
    }
    return render_page(request, "tasks/task.html", context, status=status)


def _with_warnings(applications: list[Application]) -> list[tuple[Application, str]]:
    """Return each application with what its freelancer lacks to be paid out."""
    return [(found, _lacks(found)) for found in applications]


def _lacks(application: Application | None) -> str:
    """Return what a freelancer who may be paid for a task lacks for it, or ""."""
    if application is None or application.status not in MAY_BE_PAID:
        return ""
    return listing.missing_for_payout(application)


def _escrow(actor: Actor, task: Task) -> Escrow | None:
    """Return the task's newest escrow, if the actor may see it."""
    return (
        access.visible_escrows(actor)
        .filter(agreement__task=task)
        .select_related("client", "milestone")
        .order_by("-pk")
        .first()
    )


def _has_pending(applications: list[Application]) -> bool:
    return any(found.status == ApplicationStatus.PENDING for found in applications)


def _steps(actor: Actor, task: Task, escrow: Escrow | None) -> list[str]:
    """Return the steps that the page offers; the commands decide whether they are possible."""
    status, is_paid = task.status, escrow is not None and escrow.state == "funded"
    if actor.is_user(task.client_id):
        return _steps_of_client(status, escrow)
    if not actor.is_user(task.freelancer_id):
        return []
    # Nobody begins to work on money that a bank contests, or that goes back to the client.
    is_free = escrow is not None and escrow.frozen_at is None and not milestone_work.is_going_back(escrow)
    offered = ["start"] if status is TaskStatus.ASSIGNED and is_paid and is_free else []
    if status in {TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS}:
        offered += ["deliver", "cancel"] if is_paid and is_free else ["cancel"]
    return offered


def _steps_of_client(status: TaskStatus, escrow: Escrow | None) -> list[str]:
    unpaid = escrow is None or escrow.state in {"pending_payment", "cancelled"}
    if status is TaskStatus.OPEN:
        return ["cancel"]
    if status is TaskStatus.ASSIGNED:
        return ["pay", "cancel"] if unpaid else ["cancel"]
    if status is TaskStatus.IN_PROGRESS and unpaid:
        return ["pay"]
    is_free = escrow is None or escrow.frozen_at is None
    return ["complete"] if status is TaskStatus.DELIVERED and is_free else []


@require_POST
@signed_in
def apply(request: HttpRequest, task_id: int) -> HttpResponse:
    """Apply for an open task."""
    actor = actor_of(request)
    task = _task(actor, task_id)
    form = ApplyForm(request.POST, task=task)
    if not form.is_valid():
        return _page(request, actor, task, form, status=UNPROCESSABLE)
    found = form.cleaned_data
    return carry_out(
        request,
        lambda: applications.apply(
            actor=actor,
            now=timezone.now(),
            task_id=task_id,
            amount=found["amount"],
            cover_letter=found["cover_letter"],
        ),
        done=_("You applied."),
        to=reverse("pages:task", args=[task_id]),
    )


class Decision(Protocol):
    """A command that decides on an application."""

    def __call__(self, *, actor: Actor, now: datetime, application_id: int) -> Application:
        """Decide."""


class Step(Protocol):
    """A command that moves a task one step on."""

    def __call__(self, *, actor: Actor, task_id: int, now: datetime) -> Task:
        """Take the step."""


class Describe(Protocol):
    """A function that describes what a final step will do."""

    def __call__(self, actor: Actor, task: Task, escrow: Escrow | None, /) -> Confirmation:
        """Return the confirmation to show."""


def _deciding(command: Decision, done: Callable[[], str]) -> Callable[..., HttpResponse]:
    @require_POST
    @signed_in
    def decide(request: HttpRequest, task_id: int, application_id: int) -> HttpResponse:
        actor = actor_of(request)
        return carry_out(
            request,
            lambda: command(actor=actor, now=timezone.now(), application_id=application_id),
            done=done(),
            to=reverse("pages:task", args=[task_id]),
        )

    return decide


def _working(command: Step, done: Callable[[], str]) -> Callable[..., HttpResponse]:
    @require_POST
    @signed_in
    @parties_only
    def step(request: HttpRequest, task_id: int) -> HttpResponse:
        actor = actor_of(request)
        _task(actor, task_id)
        return carry_out(
            request,
            lambda: command(actor=actor, now=timezone.now(), task_id=task_id),
            done=done(),
            to=reverse("pages:task", args=[task_id]),
        )

    return step


def _confirming(
    name: str,
    describe: Describe,
    command: Step,
    is_done: Callable[[Actor, int], bool],
    done: Callable[[], str],
) -> Callable[..., HttpResponse]:
    """Return a view that shows what a final step will do, and takes it once it is confirmed."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @signed_in
    @parties_only
    def step(request: HttpRequest, task_id: int) -> HttpResponse:
        actor = actor_of(request)
        task = _task(actor, task_id)
        if not actor.is_user(task.client_id) and not actor.is_user(task.freelancer_id):
            raise Http404
        escrow = _escrow(actor, task)
        return confirm_and_carry_out(
            request,
            describe(actor, task, escrow) if name in _steps(actor, task, escrow) else None,
            lambda: command(actor=actor, now=timezone.now(), task_id=task_id),
            is_done=lambda: is_done(actor, task_id),
            done=done(),
            back=reverse("pages:task", args=[task_id]),
        )

    return step


def _has_delivered(actor: Actor, task_id: int) -> bool:
    """Return whether this user has delivered the work, and it stands."""
    task = _task(actor, task_id)
    return actor.is_user(task.freelancer_id) and task.status in {TaskStatus.DELIVERED, TaskStatus.COMPLETED}


def _has_cancelled(actor: Actor, task_id: int) -> bool:
    """Return whether this user has called the task off; for a task without a payment, whether it was called off."""
    task = _task(actor, task_id)
    if task.status is not TaskStatus.CANCELLED:
        return False
    escrow = _escrow(actor, task)
    if escrow is None or escrow.funded_at is None:
        return True
    return escrow.audit_events.filter(event="task_cancelled", actor_id=actor.user_id).exists()


accept = _deciding(applications.accept, lambda: _("Accepted. Pay into escrow so that the work can start."))
reject = _deciding(applications.reject, lambda: _("The application was turned down."))
withdraw = _deciding(applications.withdraw_application, lambda: _("You took your application back."))
start = _working(work.start, lambda: _("Good luck: the client sees that you have started."))
deliver = _confirming(
    "deliver",
    confirmations.deliver,
    work.deliver,
    _has_delivered,
    lambda: _("Delivered. The client was asked to confirm."),
)
cancel = _confirming("cancel", confirmations.cancel, work.cancel, _has_cancelled, lambda: _("The task was called off."))

urlpatterns = [
    path("tasks/<int:task_id>/", show, name="task"),
    path("tasks/<int:task_id>/apply/", apply, name="task-apply"),
    path("tasks/<int:task_id>/applications/<int:application_id>/accept/", accept, name="application-accept"),
    path("tasks/<int:task_id>/applications/<int:application_id>/reject/", reject, name="application-reject"),
    path("tasks/<int:task_id>/applications/<int:application_id>/withdraw/", withdraw, name="application-withdraw"),
    path("tasks/<int:task_id>/start/", start, name="task-start"),
    path("tasks/<int:task_id>/deliver/", deliver, name="task-deliver"),
    path("tasks/<int:task_id>/cancel/", cancel, name="task-cancel"),
]
