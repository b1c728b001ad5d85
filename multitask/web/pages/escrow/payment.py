"""The payment page of a task: where the money is, what happened, what is next, and what each side can do."""

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from multitask.marketplace import work
from multitask.marketplace.models import Task
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.escrow import disputes, permitted_actions, refunds
from multitask.payments.escrow import releases as escrows
from multitask.payments.models import Escrow, Refund
from multitask.payments.reads import allocation
from multitask.payments.states import OPEN_REFUNDS, EscrowState, RefundState
from multitask.payments.terms import percentage
from multitask.web.pages.base.confirmation import confirm_and_carry_out
from multitask.web.pages.base.rendering import (
    UNPROCESSABLE,
    actor_of,
    carry_out,
    render_page,
    request_key,
    signed_in,
    user_of,
)
from multitask.web.pages.escrow import confirmations, forms, next_steps, parties, timeline
from multitask.web.pages.escrow.parties import parties_only


def _escrow(request: HttpRequest, task_id: int) -> Escrow:
    """Return the newest escrow of the task that the reader may see. Raises Http404."""
    visible = access.visible_escrows(actor_of(request)).filter(agreement__task=task_id)
    found = visible.select_related("agreement__task", "milestone", "client", "freelancer").order_by("-pk").first()
    if found is None:
        raise Http404
    return found


@require_GET
@signed_in
def show(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show the money of one task; before the payment has begun, redirect its two sides to the task."""
    try:
        escrow = _escrow(request, task_id)
    except Http404:
        me = user_of(request)
        if not Task.objects.filter(Q(client=me) | Q(freelancer=me), pk=task_id).exists():
            raise
        return redirect("pages:task", task_id=task_id)
    return _page(request, escrow)


def _page(request: HttpRequest, escrow: Escrow, *, status: int = 200, **bound: forms.ReasonForm) -> HttpResponse:
    actor = actor_of(request)
    parts = allocation.visible_parts(actor, escrow)
    open_refund = _open_refund(escrow)
    is_reader = parties.is_reader(actor, escrow)
    context: dict[str, Any] = {
        "escrow": escrow,
        "task": escrow.agreement.task,
        "fee": Money(escrow.fee_minor, escrow.currency),
        "share": Money(escrow.freelancer_minor, escrow.currency),
        "percentage": percentage(escrow.fee_basis_points),
        "parts": timeline.bar(parts, escrow.total_minor),
        "timeline": timeline.entries(escrows.timeline(escrow), actor),
        "next": next_steps.of(escrow, actor, open_refund),
        "allowed": [] if is_reader else permitted_actions.allowed(actor, escrow),
        "back_office": parties.back_office(escrow) if is_reader else "",
        "is_client": actor.is_user(escrow.client_id),
        "open_refund": open_refund,
        "refund_form": bound.get("refund") or forms.RefundForm(escrow=escrow),
        "answer_form": bound.get("answer") or forms.AnswerForm(),
        "dispute_form": bound.get("dispute") or forms.DisputeForm(),
        "opened": next(iter(bound), ""),
    }
    return render_page(request, "escrow/payment.html", context, status=status)


def _open_refund(escrow: Escrow) -> Refund | None:
    states = [state.value for state in OPEN_REFUNDS]
    return escrow.refunds.filter(source="escrow", state__in=states).first()


def _back(task_id: int) -> str:
    return reverse("pages:payment", args=[task_id])


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def release(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what a release will do; once it is confirmed, release the money to the freelancer."""
    escrow, actor = _escrow(request, task_id), actor_of(request)
    return confirm_and_carry_out(
        request,
        confirmations.release(escrow) if "release" in permitted_actions.allowed(actor, escrow) else None,
        lambda: escrows.release(actor=actor, escrow_id=escrow.pk, now=timezone.now(), request_key=request_key(request)),
        done=_("Released. %(name)s was told.") % {"name": escrow.freelancer.username},
        back=_back(task_id),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def complete_and_release(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what confirming the work and releasing the money will do; once it is confirmed, do both."""
    escrow, actor, now = _escrow(request, task_id), actor_of(request), timezone.now()

    def both() -> None:
        work.complete(actor=actor, task_id=task_id, now=now)
        escrows.release(actor=actor, escrow_id=escrow.pk, now=now, request_key=request_key(request))

    return confirm_and_carry_out(
        request,
        confirmations.complete_and_release(escrow) if "complete" in permitted_actions.allowed(actor, escrow) else None,
        both,
        done=_("Confirmed and released. %(name)s was told.") % {"name": escrow.freelancer.username},
        back=_back(task_id),
    )


@require_POST
@signed_in
@parties_only
def refund(request: HttpRequest, task_id: int) -> HttpResponse:
    """Refund, or request a refund, whichever the actor is allowed to do."""
    escrow, actor = _escrow(request, task_id), actor_of(request)
    form = forms.RefundForm(request.POST, escrow=escrow)
    if not form.is_valid():
        return _page(request, escrow, status=UNPROCESSABLE, refund=form)

    def command() -> object:
        return refunds.ask_or_refund(
            actor=actor,
            escrow_id=escrow.pk,
            amount=form.cleaned_data["amount"],
            reason=form.cleaned_data["reason"],
            note=form.cleaned_data["note"],
            now=timezone.now(),
            request_key=request_key(request),
        )

    done = _("The refund is on its way.") if refunds.is_immediate(actor, escrow) else _("The freelancer was asked.")
    return carry_out(request, command, done=done, to=_back(task_id))


def _answering(accept: bool, done: Callable[[], str]) -> Callable[..., HttpResponse]:
    @require_POST
    @signed_in
    @parties_only
    def answer(request: HttpRequest, task_id: int) -> HttpResponse:
        escrow, actor = _escrow(request, task_id), actor_of(request)
        asked = escrow.refunds.filter(state=RefundState.REQUESTED.value).first()
        form = forms.AnswerForm(request.POST)
        if not form.is_valid():
            return _page(request, escrow, status=UNPROCESSABLE, answer=form)
        # Answered meanwhile: use the newest refund, so that the refusal names its present state.
        asked = asked or escrow.refunds.order_by("-pk").first()
        if asked is None:
            raise Http404
        return carry_out(
            request,
            lambda: refunds.answer(
                actor=actor,
                refund_id=asked.pk,
                accept=accept,
                note=form.cleaned_data["note"],
                now=timezone.now(),
                request_key=request_key(request),
            ),
            done=done(),
            to=_back(task_id),
        )

    return answer


accept_refund = _answering(True, lambda: _("You agreed. The refund is on its way to the client."))
refuse_refund = _answering(False, lambda: _("You refused. Our staff will settle it; the money stays where it is."))


@require_POST
@signed_in
@parties_only
def withdraw_refund(request: HttpRequest, task_id: int) -> HttpResponse:
    """Withdraw one's own refund request."""
    escrow, actor = _escrow(request, task_id), actor_of(request)
    asked = escrow.refunds.order_by("-pk").first()
    if asked is None:
        raise Http404
    return carry_out(
        request,
        lambda: refunds.withdraw(actor=actor, refund_id=asked.pk, now=timezone.now()),
        done=_("You took the request back."),
        to=_back(task_id),
    )


@require_POST
@signed_in
@parties_only
def dispute(request: HttpRequest, task_id: int) -> HttpResponse:
    """Open a dispute."""
    escrow, actor = _escrow(request, task_id), actor_of(request)
    form = forms.DisputeForm(request.POST)
    if not form.is_valid():
        return _page(request, escrow, status=UNPROCESSABLE, dispute=form)
    return carry_out(
        request,
        lambda: disputes.open_dispute(
            actor=actor,
            escrow_id=escrow.pk,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
            request_key=request_key(request),
        ),
        done=_("The dispute is open. The money stays where it is until our staff has settled it."),
        to=_back(task_id),
    )


@require_GET
@signed_in
def receipt(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show a printable receipt of what was paid, released and refunded."""
    escrow = _escrow(request, task_id)
    if escrow.funded_at is None:
        raise Http404
    context = {
        "escrow": escrow,
        "task": escrow.agreement.task,
        "percentage": percentage(escrow.fee_basis_points),
        "released": Money(escrow.released_minor, escrow.currency),
        "released_fee": Money(escrow.released_fee_minor, escrow.currency),
        "released_share": Money(escrow.released_minor - escrow.released_fee_minor, escrow.currency),
        "refunded": Money(escrow.refunded_minor, escrow.currency),
        "is_open": escrow.state in {EscrowState.FUNDED.value, EscrowState.DISPUTED.value},
    }
    return render_page(request, "escrow/receipt.html", context)


urlpatterns = [
    path("tasks/<int:task_id>/payment/", show, name="payment"),
    path("tasks/<int:task_id>/payment/receipt/", receipt, name="receipt"),
    path("tasks/<int:task_id>/payment/release/", release, name="payment-release"),
    path("tasks/<int:task_id>/payment/confirm/", complete_and_release, name="payment-confirm"),
    path("tasks/<int:task_id>/payment/refund/", refund, name="payment-refund"),
    path("tasks/<int:task_id>/payment/refund/accept/", accept_refund, name="refund-accept"),
    path("tasks/<int:task_id>/payment/refund/refuse/", refuse_refund, name="refund-refuse"),
    path("tasks/<int:task_id>/payment/refund/withdraw/", withdraw_refund, name="refund-withdraw"),
    path("tasks/<int:task_id>/payment/dispute/", dispute, name="payment-dispute"),
]
