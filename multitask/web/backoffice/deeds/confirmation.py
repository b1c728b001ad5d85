"""The page between a button and its deed: what will happen, and why it is done."""

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
from multitask.web.backoffice import roles, site
from multitask.web.backoffice.deeds import approval_deeds, machine_deeds, money_deeds, people_deeds
from multitask.web.backoffice.deeds.deed import Deed, Order
from multitask.web.pages.accounts.credential_forms import CodeForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import CONFLICT, UNPROCESSABLE, request_key, user_of

_DEEDS: Final = (
    money_deeds.Release,
    money_deeds.RefundClient,
    money_deeds.Settle,
    money_deeds.AcceptRefund,
    money_deeds.RefuseRefund,
    money_deeds.RetryRefund,
    money_deeds.RetryTransfer,
    money_deeds.ReturnPayment,
    approval_deeds.Approve,
    approval_deeds.TurnDown,
    machine_deeds.Push,
    machine_deeds.Sweep,
    machine_deeds.Replay,
    people_deeds.SetRole,
    people_deeds.Shut,
    people_deeds.Reopen,
    people_deeds.RemoveSecondFactor,
)
KNOWN: Final[dict[str, Deed]] = {deed.name: deed() for deed in _DEEDS}
FORBIDDEN: Final = 403


@sensitive_post_parameters("otp")
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, name: str, subject_id: int | None = None) -> HttpResponse:
    """Ask why, and for a code where the last proof is too old; then carry it out and show what became of it."""
    deed = KNOWN.get(name)
    if deed is None:
        raise Http404
    if not roles.may(request, deed.power):
        return site.page(request, "forbidden.html", _("Your role does not allow this"), status=FORBIDDEN)
    try:
        subject = deed.subject(roles.actor_of(request), subject_id)
    except NotFound as refusal:
        raise Http404 from refusal
    if request.method != "POST":
        return _ask(request, deed, subject, deed.form(subject))
    form, proof = deed.form(subject, request.POST), _proof_form(request, deed)
    is_valid = form.is_valid()
    if not is_valid or not _proved(request, proof):
        # A code works once: it is taken only with a form that has everything else.
        return _ask(request, deed, subject, form, proof=proof, status=UNPROCESSABLE)
    return _carry_out(request, deed, subject, form)


def _proof_form(request: HttpRequest, deed: Deed) -> CodeForm | None:
    """The form for a code, if the deed needs a fresh proof and there is none."""
    if roles.actor_of(request).has_proof_for(deed.power):
        return None
    return CodeForm(request.POST) if "otp" in request.POST else CodeForm()


def _proved(request: HttpRequest, proof: CodeForm | None) -> bool:
    """Take the code, if one is needed; a wrong one is told beside its field."""
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


def _carry_out(request: HttpRequest, deed: Deed, subject: Any, form: Any) -> HttpResponse:
    order = Order(
        actor=roles.actor_of(request),
        data=form.cleaned_data,
        now=timezone.now(),
        request_key=request_key(request),
    )
    try:
        outcome = deed.carry_out(subject, order)
    except DomainError as refusal:
        told = error_messages.of(refusal)
        fresh = deed.subject(order.actor, None if subject is None else subject.pk)
        return _ask(request, deed, fresh, form, refusal=told, detail=_detail(refusal, told), status=CONFLICT)
    except OutcomeUnknown:
        messages.warning(request, str(error_messages.BY_CODE["outcome_unknown"]))
    else:
        messages.success(request, deed.done(subject, outcome))
    return redirect(deed.address(subject))


def _detail(refusal: DomainError, told: str) -> str:
    """The rule's own sentence, which says more than the general one."""
    return refusal.message if refusal.message != told else ""


def _ask(
    request: HttpRequest,
    deed: Deed,
    subject: Any,
    form: Any,
    *,
    proof: CodeForm | None = None,
    status: int = 200,
    **refused: str,
) -> HttpResponse:
    context = {
        "proof": proof if proof is not None else _proof_form(request, deed),
        "deed": deed,
        "form": form,
        "facts": deed.facts(subject),
        "consequences": deed.consequences(subject),
        "back": deed.address(subject),
        "kept_key": request_key(request) if request.method == "POST" else "",
        **refused,
    }
    return site.page(request, "confirm.html", str(deed.title), context, status=status)
