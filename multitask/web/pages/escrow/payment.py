"""The payment page of a task: where the money is, what happened, what is next, and what each side can do."""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from multitask import database
from multitask.marketplace.models import Task
from multitask.money import Money
from multitask.payments.agreements import milestone_work
from multitask.payments.authorization import access
from multitask.payments.escrow import disputes, hold_limits, permitted_actions, stranded
from multitask.payments.escrow import releases as escrows
from multitask.payments.models import Escrow, Refund
from multitask.payments.reads import where
from multitask.payments.states import HOLDING_ESCROWS, OPEN_REFUNDS, EscrowState
from multitask.payments.terms import percentage
from multitask.users.actor import Actor
from multitask.web.pages.base.confirmation import Confirmation, confirm_and_carry_out
from multitask.web.pages.base.rendering import (
    UNPROCESSABLE,
    actor_of,
    carry_out,
    render_page,
    request_key,
    signed_in,
    user_of,
)
from multitask.web.pages.escrow import confirmations, contested, forms, next_steps, parties, timeline
from multitask.web.pages.escrow.parties import parties_only


def escrow_of(actor: Actor, task_id: int) -> Escrow:
    """Return the newest escrow of the task that the actor may see. Raises Http404."""
    visible = access.visible_escrows(actor).filter(agreement__task=task_id)
    found = visible.select_related("agreement__task", "milestone", "client", "freelancer").order_by("-pk").first()
    if found is None:
        raise Http404
    return found


def address(task_id: int) -> str:
    """Return the address of the payment page."""
    return reverse("pages:payment", args=[task_id])


@require_GET
@signed_in
def show(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show the money of one task; before the payment has begun, redirect its two sides to the task."""
    try:
        return page(request, task_id)
    except Http404:
        me = user_of(request)
        if not Task.objects.filter(Q(client=me) | Q(freelancer=me), pk=task_id).exists():
            raise
        return redirect("pages:task", task_id=task_id)


def page(request: HttpRequest, task_id: int, *, status: int = 200, **bound: forms.ReasonForm) -> HttpResponse:
    """Render the payment page, with the errors of a bound form. Raises Http404."""
    context = _read(actor_of(request), task_id)
    context |= {
        "refund_form": bound.get("refund") or forms.RefundForm(escrow=context["escrow"]),
        "give_back_form": bound.get("give_back") or forms.GiveBackForm(escrow=context["escrow"]),
        "answer_form": bound.get("answer") or forms.AnswerForm(),
        "dispute_form": bound.get("dispute") or forms.DisputeForm(),
        "opened": next(iter(bound), ""),
    }
    return render_page(request, "escrow/payment.html", context, status=status)


@database.snapshot
def _read(actor: Actor, task_id: int) -> dict[str, Any]:
    """Read everything that the page shows, as it is at one moment. Raises Http404."""
    escrow = escrow_of(actor, task_id)
    open_refund = _open_refund(escrow)
    is_reader = parties.is_reader(actor, escrow)
    return {
        "escrow": escrow,
        "task": escrow.agreement.task,
        "fee": Money(escrow.fee_minor, escrow.currency),
        "share": Money(escrow.freelancer_minor, escrow.currency),
        "percentage": percentage(escrow.fee_basis_points),
        "parts": timeline.bar(where.of_escrow(actor, escrow, timezone.now()), escrow.total_minor),
        "timeline": timeline.entries(escrows.timeline(escrow), actor),
        "next": next_steps.of(escrow, actor, open_refund),
        "allowed": [] if is_reader else permitted_actions.allowed(actor, escrow),
        "back_office": parties.back_office(escrow) if is_reader else "",
        "is_client": actor.is_user(escrow.client_id),
        "open_refund": open_refund,
        "can_pay_again": not is_reader and actor.is_user(escrow.client_id) and next_steps.was_not_paid(escrow),
        "is_stranded": stranded.found().filter(pk=escrow.pk).exists() if _is_called_off(escrow) else False,
        "payment_due_at": escrow.payment_due_at if escrow.escrow_state is EscrowState.PENDING_PAYMENT else None,
        **_hold(escrow),
        "contested": contested.views(escrow),
    }


def _is_called_off(escrow: Escrow) -> bool:
    return escrow.escrow_state is EscrowState.FUNDED and escrow.milestone.is_closed


def _hold(escrow: Escrow) -> dict[str, Any]:
    """Return until when the provider may hold the money, and whether the two sides have been warned of it."""
    if escrow.escrow_state not in HOLDING_ESCROWS or escrow.hold_until_at is None:
        return {"hold_until_at": None, "is_hold_ending": False}
    now = timezone.now()
    is_ending = escrow.hold_until_at <= now or hold_limits.warning(escrow, now) is not None
    return {"hold_until_at": escrow.hold_until_at, "is_hold_ending": is_ending}


def _open_refund(escrow: Escrow) -> Refund | None:
    states = [state.value for state in OPEN_REFUNDS]
    return escrow.refunds.filter(source="escrow", state__in=states).first()


def _is_released(actor: Actor, escrow: Escrow) -> bool:
    return escrow.audit_events.filter(event="released", actor_id=actor.user_id).exists()


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def release(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what a release will do; once it is confirmed, release the money to the freelancer."""
    actor = actor_of(request)
    escrow = escrow_of(actor, task_id)
    return confirm_and_carry_out(
        request,
        confirmations.release(escrow) if "release" in permitted_actions.allowed(actor, escrow) else None,
        lambda: escrows.release(actor=actor, escrow_id=escrow.pk, now=timezone.now()),
        is_done=lambda: _is_released(actor, escrow),
        done=_("Released. %(name)s was told.") % {"name": escrow.freelancer.username},
        back=address(task_id),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def complete_and_release(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what confirming the work and releasing the money will do; once it is confirmed, do both or nothing."""
    actor = actor_of(request)
    escrow = escrow_of(actor, task_id)
    return confirm_and_carry_out(
        request,
        _what_is_left(escrow, permitted_actions.allowed(actor, escrow)),
        lambda: milestone_work.complete_and_release(actor=actor, escrow_id=escrow.pk, now=timezone.now()),
        is_done=lambda: _is_released(actor, escrow),
        done=_("Confirmed and released. %(name)s was told.") % {"name": escrow.freelancer.username},
        back=address(task_id),
    )


def _what_is_left(escrow: Escrow, allowed: list[str]) -> Confirmation | None:
    """Return what there is to confirm: work that was confirmed meanwhile is only released."""
    if "complete" in allowed:
        return confirmations.complete_and_release(escrow)
    return confirmations.release(escrow) if "release" in allowed else None


@require_POST
@signed_in
@parties_only
def dispute(request: HttpRequest, task_id: int) -> HttpResponse:
    """Open a dispute."""
    actor = actor_of(request)
    escrow = escrow_of(actor, task_id)
    form = forms.DisputeForm(request.POST)
    if not form.is_valid():
        return page(request, task_id, status=UNPROCESSABLE, dispute=form)
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
        to=address(task_id),
    )


@require_GET
@signed_in
def receipt(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show a printable receipt of what was paid, released and refunded."""
    actor = actor_of(request)
    escrow = escrow_of(actor, task_id)
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
        "returned": Money(escrow.returned_minor + escrow.charged_back_minor, escrow.currency),
        "netted": Money(0 if actor.is_user(escrow.client_id) else escrow.netted_minor, escrow.currency),
        "is_open": escrow.state in {EscrowState.FUNDED.value, EscrowState.DISPUTED.value},
    }
    return render_page(request, "escrow/receipt.html", context)


urlpatterns = [
    path("tasks/<int:task_id>/payment/", show, name="payment"),
    path("tasks/<int:task_id>/payment/receipt/", receipt, name="receipt"),
    path("tasks/<int:task_id>/payment/release/", release, name="payment-release"),
    path("tasks/<int:task_id>/payment/confirm/", complete_and_release, name="payment-confirm"),
    path("tasks/<int:task_id>/payment/dispute/", dispute, name="payment-dispute"),
]
