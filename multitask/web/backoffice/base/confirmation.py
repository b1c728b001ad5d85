"""The confirmation page of an action: what will happen, and the form that asks for the reason."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.payments.errors import NotFound
from multitask.users import second_factor
from multitask.web import step_up
from multitask.web.backoffice.base import rendering, roles
from multitask.web.backoffice.base.actions import Action, Submission
from multitask.web.pages.accounts.credential_forms import CodeForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import CONFLICT, UNPROCESSABLE, request_key, user_of

FORBIDDEN: Final = 403


def view(actions: Mapping[str, Action]) -> Callable[..., HttpResponse]:
    """Return the view that confirms and executes one of these actions."""

    @sensitive_post_parameters("otp", "national_id")
    @require_http_methods(["GET", "HEAD", "POST"])
    def confirm(request: HttpRequest, name: str, subject_id: int | None = None) -> HttpResponse:
        action = actions.get(name)
        if action is None:
            raise Http404
        if not roles.may(request, action.power):
            return _forbidden(request)
        return _confirm(request, action, subject_id)

    return confirm


def _forbidden(request: HttpRequest) -> HttpResponse:
    return rendering.page(request, "forbidden.html", _("Your role does not allow this"), status=FORBIDDEN)


def _confirm(request: HttpRequest, action: Action, subject_id: int | None) -> HttpResponse:
    """Ask for the reason, and for a code where the last proof is too old; then execute the action."""
    try:
        subject = action.subject(roles.actor_of(request), subject_id)
    except NotFound as refusal:
        raise Http404 from refusal
    if not roles.may(request, action.power_for(subject)):
        return _forbidden(request)
    if request.method != "POST":
        return _ask(request, action, subject, action.form(subject))
    form, proof = action.form(subject, request.POST, request.FILES), _proof_form(request, action, subject)
    is_valid = form.is_valid()
    # A code can be used once, so it is only checked with a form that is otherwise complete.
    if not is_valid or not _is_proved(request, proof):
        return _ask(request, action, subject, form, proof=proof, status=UNPROCESSABLE)
    return _execute(request, action, subject, form)


def _proof_form(request: HttpRequest, action: Action, subject: Any) -> CodeForm | None:
    """Return the form for a code, if the action needs a fresh proof and there is none."""
    if roles.actor_of(request).has_proof_for(action.power_for(subject)):
        return None
    return CodeForm(request.POST) if "otp" in request.POST else CodeForm()


def _is_proved(request: HttpRequest, proof: CodeForm | None) -> bool:
    """Check the code, if one is needed; a wrong one becomes an error of its field."""
    if proof is None:
        return True
    if not proof.is_valid():
        return False
    user, now = user_of(request), timezone.now()
    try:
        second_factor.prove(user_id=user.pk, actor=roles.actor_of(request), now=now, code=proof.cleaned_data["otp"])
    except DomainError as refusal:
        proof.refuse(refusal)
        return False
    step_up.record(request, user, now)
    return True


def _execute(request: HttpRequest, action: Action, subject: Any, form: Any) -> HttpResponse:
    submission = Submission(
        actor=roles.actor_of(request),
        data=form.cleaned_data,
        now=timezone.now(),
        request_key=request_key(request),
    )
    try:
        outcome = action.execute(subject, submission)
    except DomainError as refusal:
        message = error_messages.of(refusal)
        fresh = action.subject(submission.actor, None if subject is None else subject.pk)
        detail = _detail(refusal, message)
        return _ask(request, action, fresh, form, refusal=message, detail=detail, status=CONFLICT)
    except OutcomeUnknown:
        messages.warning(request, str(error_messages.BY_CODE["outcome_unknown"]))
    else:
        messages.success(request, action.success_message(subject, outcome))
        if warning := action.warning(outcome):
            messages.warning(request, warning)
    return redirect(action.result_address(subject))


def _detail(refusal: DomainError, message: str) -> str:
    """Return the rule's own sentence where it is more exact than the general message."""
    return refusal.message if refusal.message != message else ""


def _ask(
    request: HttpRequest,
    action: Action,
    subject: Any,
    form: Any,
    *,
    proof: CodeForm | None = None,
    status: int = 200,
    **refused: str,
) -> HttpResponse:
    context = {
        "proof": proof if proof is not None else _proof_form(request, action, subject),
        "action": action,
        "form": form,
        "summary": action.summary(subject),
        "consequences": action.consequences(subject),
        "back": action.result_address(subject),
        "kept_key": request_key(request) if request.method == "POST" else "",
        **refused,
    }
    return rendering.page(request, "confirm.html", str(action.title), context, status=status)
