"""Tasks: browse, post, apply, accept, start, deliver, complete, cancel."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from multitask.errors import DomainError
from multitask.marketplace import board, listing, work
from multitask.marketplace.errors import TaskNotFound
from multitask.marketplace.models import COVER_LETTER_MAX, DESCRIPTION_MAX, TITLE_MAX, Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.payments.authorization import access
from multitask.payments.models import Escrow
from multitask.payments.payouts import onboarding
from multitask.users.actor import Actor
from multitask.web.pages import next_steps, sentences
from multitask.web.pages.fields import AmountField, TextField
from multitask.web.pages.parties import parties_only
from multitask.web.pages.shell import UNPROCESSABLE, actor_of, carry_out, page, signed_in, user_of

PER_PAGE = 20


class TaskForm(forms.Form):
    """A task to post, in the client's own currency."""

    title = TextField(label=gettext_lazy("Title"), max_length=TITLE_MAX)
    description = TextField(
        label=gettext_lazy("What is to be done"),
        lines=True,
        max_length=DESCRIPTION_MAX,
        help_text=gettext_lazy("Say what you will get, and how you will know that it is right."),
    )

    def __init__(self, *args: Any, currency: str, **options: Any) -> None:
        """Take the budget in this currency."""
        super().__init__(*args, **options)
        label = _("Budget in %(currency)s") % {"currency": currency}
        self.fields["budget"] = AmountField(currency=currency, label=label)


class ApplyForm(forms.Form):
    """An application; the budget unless another amount is named."""

    cover_letter = TextField(label=gettext_lazy("Why you"), lines=True, required=False, max_length=COVER_LETTER_MAX)

    def __init__(self, *args: Any, task: Task, **options: Any) -> None:
        """Take the amount in the task's currency."""
        super().__init__(*args, **options)
        label = _("Your price in %(currency)s") % {"currency": task.currency}
        self.fields["amount"] = AmountField(currency=task.currency, label=label, initial=task.budget.to_major_string())
        self.order_fields(["amount", "cover_letter"])


@require_GET
@signed_in
def browse(request: HttpRequest) -> HttpResponse:
    """List open tasks, or one's own."""
    actor = actor_of(request)
    which, search = request.GET.get("which", ""), request.GET.get("search", "").replace("\x00", "")[:100]
    if which not in {"open", "mine"}:
        which = "open" if actor.is_freelancer else "mine"
    if which == "mine":
        rows = listing.own_tasks(actor)
    else:
        rows = listing.tasks(actor, status=TaskStatus.OPEN, search=search.strip())
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"shown": shown, "which": which, "search": search, "can_post": actor.is_client}
    return page(request, "tasks.html", context)


@signed_in
def post(request: HttpRequest) -> HttpResponse:
    """Post a task."""
    user = user_of(request)
    form = TaskForm(request.POST or None, currency=user.default_currency)
    if request.method == "POST" and form.is_valid():
        found = form.cleaned_data
        try:
            task = board.post_task(
                actor=actor_of(request),
                now=timezone.now(),
                title=found["title"],
                description=found["description"],
                budget=found["budget"],
                deadline_at=None,
            )
        except DomainError as refusal:
            _beside(form, refusal)
        else:
            messages.success(request, _("Your task is posted. Freelancers can apply now."))
            return redirect("pages:task", task_id=task.pk)
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "task_new.html", {"form": form}, status=status)


def _beside(form: forms.Form, refusal: DomainError) -> None:
    """Put a command's refusal beside the field that it names, else on top of the form."""
    if not refusal.fields:
        form.add_error(None, sentences.of(refusal))
    for name, sentence in refusal.fields.items():
        form.add_error(name if name in form.fields else None, sentence)


def _task(actor: Actor, task_id: int) -> Task:
    try:
        return listing.task(actor, task_id=task_id)
    except TaskNotFound:
        raise Http404 from None


@require_GET
@signed_in
def show(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show a task with what the reader can do with it."""
    actor = actor_of(request)
    return _page(request, actor, _task(actor, task_id))


def _page(
    request: HttpRequest, actor: Actor, task: Task, form: ApplyForm | None = None, *, status: int = 200
) -> HttpResponse:
    applications = list(listing.applications_for(actor, task_id=task.pk)[:100])
    is_client = actor.is_user(task.client_id)
    mine = next((found for found in applications if actor.is_user(found.freelancer_id)), None)
    escrow = access.visible_escrows(actor).filter(agreement__task=task).order_by("-pk").first()
    may_apply = actor.is_freelancer and not is_client and mine is None and task.status == TaskStatus.OPEN
    payees = {user_of(request).pk} if may_apply or mine else {found.freelancer_id for found in applications}
    without_bank = onboarding.without_bank(payees, task.currency) if payees else set()
    context = {
        "task": task,
        "without_bank": without_bank,
        "lacks_bank": user_of(request).pk in without_bank,
        "applications": applications if is_client or actor.is_staff else [],
        "mine": mine,
        "escrow": escrow,
        "is_client": is_client,
        "is_freelancer": actor.is_user(task.freelancer_id),
        "form": form or (ApplyForm(task=task) if may_apply else None),
        "steps": _steps(actor, task, escrow),
        "next": next_steps.of_task(task, actor, escrow, is_chosen_from=_has_pending(applications)),
    }
    return page(request, "task.html", context, status=status)


def _has_pending(applications: list[Application]) -> bool:
    return any(found.status == ApplicationStatus.PENDING for found in applications)


def _steps(actor: Actor, task: Task, escrow: Escrow | None) -> list[str]:
    """Which steps the page offers; the commands decide whether they are taken."""
    status, is_paid = task.status, escrow is not None and escrow.state == "funded"
    if actor.is_user(task.client_id):
        return _steps_of_client(status, escrow)
    if not actor.is_user(task.freelancer_id):
        return []
    offered = ["start"] if status is TaskStatus.ASSIGNED and is_paid else []
    if status in {TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS}:
        offered += ["deliver", "cancel"] if is_paid else ["cancel"]
    return offered


def _steps_of_client(status: TaskStatus, escrow: Escrow | None) -> list[str]:
    unpaid = escrow is None or escrow.state == "pending_payment"
    if status is TaskStatus.OPEN:
        return ["cancel"]
    if status is TaskStatus.ASSIGNED:
        return ["pay", "cancel"] if unpaid else ["cancel"]
    if status is TaskStatus.IN_PROGRESS and unpaid:
        return ["pay"]
    return ["complete"] if status is TaskStatus.DELIVERED else []


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
        lambda: board.apply(
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
    """A command that takes a task one step on."""

    def __call__(self, *, actor: Actor, task_id: int, now: datetime) -> Task:
        """Take the step."""


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


accept = _deciding(board.accept, lambda: _("Accepted. Pay into escrow so that the work can start."))
reject = _deciding(board.reject, lambda: _("The application was turned down."))
withdraw = _deciding(board.withdraw_application, lambda: _("You took your application back."))
start = _working(work.start, lambda: _("Good luck: the client sees that you have started."))
deliver = _working(work.deliver, lambda: _("Delivered. The client was asked to confirm."))
complete = _working(work.complete, lambda: _("Confirmed. Release the money when you are ready."))
cancel = _working(work.cancel, lambda: _("The task was called off."))

urlpatterns = [
    path("tasks/", browse, name="tasks"),
    path("tasks/new/", post, name="task-new"),
    path("tasks/<int:task_id>/", show, name="task"),
    path("tasks/<int:task_id>/apply/", apply, name="task-apply"),
    path("tasks/<int:task_id>/applications/<int:application_id>/accept/", accept, name="application-accept"),
    path("tasks/<int:task_id>/applications/<int:application_id>/reject/", reject, name="application-reject"),
    path("tasks/<int:task_id>/applications/<int:application_id>/withdraw/", withdraw, name="application-withdraw"),
    path("tasks/<int:task_id>/start/", start, name="task-start"),
    path("tasks/<int:task_id>/deliver/", deliver, name="task-deliver"),
    path("tasks/<int:task_id>/complete/", complete, name="task-complete"),
    path("tasks/<int:task_id>/cancel/", cancel, name="task-cancel"),
]
