"""The lists of tasks, and posting a new one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from multitask.errors import DomainError
from multitask.marketplace import listing, tasks
from multitask.marketplace.models import DESCRIPTION_MAX, TITLE_MAX
from multitask.marketplace.states import TaskStatus
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.fields import AmountField, TextField
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, signed_in, user_of

PER_PAGE = 20


class TaskForm(forms.Form):
    """A new task, in the client's default currency."""

    title = TextField(label=gettext_lazy("Title"), max_length=TITLE_MAX)
    description = TextField(
        label=gettext_lazy("What is to be done"),
        lines=True,
        max_length=DESCRIPTION_MAX,
        help_text=gettext_lazy("Say what you will get, and how you will know that it is right."),
    )

    def __init__(self, *args: Any, currency: str, **options: Any) -> None:
        """Add the budget field in this currency."""
        super().__init__(*args, **options)
        label = _("Budget in %(currency)s") % {"currency": currency}
        self.fields["budget"] = AmountField(currency=currency, label=label)


@require_GET
@signed_in
def browse(request: HttpRequest) -> HttpResponse:
    """List open tasks, or the user's own."""
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
    return render_page(request, "tasks/task_list.html", context)


@signed_in
def post(request: HttpRequest) -> HttpResponse:
    """Post a task."""
    user = user_of(request)
    form = TaskForm(request.POST or None, currency=user.default_currency)
    if request.method == "POST" and form.is_valid():
        found = form.cleaned_data
        try:
            task = tasks.post_task(
                actor=actor_of(request),
                now=timezone.now(),
                title=found["title"],
                description=found["description"],
                budget=found["budget"],
                deadline_at=None,
            )
        except DomainError as refusal:
            _add_errors(form, refusal)
        else:
            messages.success(request, _("Your task is posted. Freelancers can apply now."))
            return redirect("pages:task", task_id=task.pk)
    status = UNPROCESSABLE if form.is_bound else 200
    return render_page(request, "tasks/task_new.html", {"form": form}, status=status)


def _add_errors(form: forms.Form, refusal: DomainError) -> None:
    """Add a refusal as the error of the field that it names, or else of the form."""
    if not refusal.fields:
        form.add_error(None, error_messages.of(refusal))
    for name, sentence in refusal.fields.items():
        form.add_error(name if name in form.fields else None, sentence)


urlpatterns = [
    path("tasks/", browse, name="tasks"),
    path("tasks/new/", post, name="task-new"),
]
