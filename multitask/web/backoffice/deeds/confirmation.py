"""The page between a button and its deed: what will happen, and why it is done."""

from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.payments.errors import NotFound
from multitask.web.backoffice import roles, site
from multitask.web.backoffice.deeds import approval_deeds, machine_deeds, money_deeds, people_deeds
from multitask.web.backoffice.deeds.deed import Deed, Order
from multitask.web.pages import sentences
from multitask.web.pages.shell import CONFLICT, UNPROCESSABLE, request_key

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


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, name: str, subject_id: int | None = None) -> HttpResponse:
    """Ask why, then carry it out and go to the page that shows what became of it."""
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
    form = deed.form(subject, request.POST)
    if not form.is_valid():
        return _ask(request, deed, subject, form, status=UNPROCESSABLE)
    return _carry_out(request, deed, subject, form)


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
        told = sentences.of(refusal)
        fresh = deed.subject(order.actor, None if subject is None else subject.pk)
        return _ask(request, deed, fresh, form, refusal=told, detail=_detail(refusal, told), status=CONFLICT)
    except OutcomeUnknown:
        messages.warning(request, str(sentences.BY_CODE["outcome_unknown"]))
    else:
        messages.success(request, deed.done(subject, outcome))
    return redirect(deed.address(subject))


def _detail(refusal: DomainError, told: str) -> str:
    """The rule's own sentence, which says more than the general one."""
    return refusal.message if refusal.message != told else ""


def _ask(
    request: HttpRequest, deed: Deed, subject: Any, form: Any, *, status: int = 200, **refused: str
) -> HttpResponse:
    context = {
        "deed": deed,
        "form": form,
        "facts": deed.facts(subject),
        "consequences": deed.consequences(subject),
        "back": deed.address(subject),
        "kept_key": request_key(request) if request.method == "POST" else "",
        **refused,
    }
    return site.page(request, "confirm.html", str(deed.title), context, status=status)
