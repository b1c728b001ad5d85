"""Refunds from the payment page: those that cannot be undone are shown, with their effects, before they are made."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from multitask.errors import DomainError
from multitask.money import Money
from multitask.payments.escrow import permitted_actions, refunds
from multitask.payments.losses import late_refunds
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import RefundState
from multitask.users.actor import Actor
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.confirmation import Confirmation, confirm_and_carry_out
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, carry_out, request_key, signed_in
from multitask.web.pages.escrow import confirmations, forms, payment
from multitask.web.pages.escrow.parties import parties_only


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def refund(request: HttpRequest, task_id: int) -> HttpResponse:
    """Request a refund; one that needs no answer is shown first, and made once it is confirmed."""
    if request.method != "POST":
        return redirect(payment.address(task_id))
    actor = actor_of(request)
    escrow = payment.escrow_of(actor, task_id)
    form = forms.RefundForm(request.POST, escrow=escrow)
    if not form.is_valid():
        return payment.page(request, task_id, status=UNPROCESSABLE, refund=form)
    if "confirmed" in request.POST or refunds.is_immediate(actor, escrow):
        return _confirm_refund(request, task_id, actor, escrow, form)
    return carry_out(
        request,
        lambda: _ask_or_refund(actor, escrow, form, form.cleaned_data["amount"], request_key(request)),
        done=_("The freelancer was asked."),
        to=payment.address(task_id),
    )


def _confirm_refund(
    request: HttpRequest, task_id: int, actor: Actor, escrow: Escrow, form: forms.RefundForm
) -> HttpResponse:
    key, amount = request_key(request), form.cleaned_data["amount"] or escrow.remaining
    confirmation: Confirmation | None = None
    if "refund" in permitted_actions.allowed(actor, escrow):
        try:
            refunds.amount_to_refund(escrow, amount)
        except DomainError as refusal:
            form.add_error("amount", error_messages.of(refusal))
            return payment.page(request, task_id, status=UNPROCESSABLE, refund=form)
        sent = [(name, request.POST.get(name, "")) for name in form.fields]
        confirmation = confirmations.refund(actor, escrow, amount, fields=(*sent, ("request_key", key)))
    return confirm_and_carry_out(
        request,
        confirmation,
        lambda: _ask_or_refund(actor, escrow, form, amount, key),
        is_done=lambda: escrow.refunds.filter(requested_by_id=actor.user_id, request_key=key).exists(),
        done=_("The refund is on its way."),
        back=payment.address(task_id),
    )


def _ask_or_refund(actor: Actor, escrow: Escrow, form: forms.RefundForm, amount: Money | None, key: str) -> Any:
    return refunds.ask_or_refund(
        actor=actor,
        escrow_id=escrow.pk,
        amount=amount,
        reason=form.cleaned_data["reason"],
        note=form.cleaned_data["note"],
        now=timezone.now(),
        request_key=key,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def give_back(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what giving released money back takes from where; once it is confirmed, refund the client."""
    if request.method != "POST":
        return redirect(payment.address(task_id))
    actor, key = actor_of(request), request_key(request)
    escrow = payment.escrow_of(actor, task_id)
    form = forms.GiveBackForm(request.POST, escrow=escrow)
    if not form.is_valid():
        return payment.page(request, task_id, status=UNPROCESSABLE, give_back=form)
    confirmation: Confirmation | None = None
    amount: Money | None = form.cleaned_data["amount"]
    if "refund_released" in permitted_actions.allowed(actor, escrow):
        try:
            amount = late_refunds.require_refundable(actor, escrow, amount)
        except DomainError as refusal:
            form.add_error("amount", error_messages.of(refusal))
            return payment.page(request, task_id, status=UNPROCESSABLE, give_back=form)
        sent = [(name, request.POST.get(name, "")) for name in form.fields]
        confirmation = confirmations.give_back(escrow, amount, fields=(*sent, ("request_key", key)))
    return confirm_and_carry_out(
        request,
        confirmation,
        lambda: late_refunds.refund(
            actor=actor,
            escrow_id=escrow.pk,
            amount=amount,
            reason=form.cleaned_data["reason"],
            note=form.cleaned_data["note"],
            now=timezone.now(),
            request_key=key,
        ),
        is_done=lambda: escrow.refunds.filter(requested_by_id=actor.user_id, request_key=key).exists(),
        done=_("The refund is on its way."),
        back=payment.address(task_id),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@parties_only
def accept(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what agreeing to a refund will do; once it is confirmed, agree to it."""
    if request.method != "POST":
        return redirect(payment.address(task_id))
    actor, key = actor_of(request), request_key(request)
    escrow = payment.escrow_of(actor, task_id)
    form = forms.AnswerForm(request.POST)
    if not form.is_valid():
        return payment.page(request, task_id, status=UNPROCESSABLE, answer=form)
    asked, note = _asked(escrow), form.cleaned_data["note"]
    is_offered = "accept_refund" in permitted_actions.allowed(actor, escrow)
    fields = (("note", note), ("request_key", key))
    accepted = escrow.refunds.filter(decided_by_id=actor.user_id, answer_key=key)
    return confirm_and_carry_out(
        request,
        confirmations.accept_refund(escrow, asked, fields=fields) if is_offered else None,
        lambda: _answer(actor, asked, note, key, accept=True),
        is_done=lambda: accepted.exclude(state=RefundState.REFUSED.value).exists(),
        done=_("You agreed. The refund is on its way to the client."),
        back=payment.address(task_id),
    )


@require_POST
@signed_in
@parties_only
def refuse(request: HttpRequest, task_id: int) -> HttpResponse:
    """Refuse a refund request, which opens a dispute."""
    actor = actor_of(request)
    escrow = payment.escrow_of(actor, task_id)
    form = forms.AnswerForm(request.POST)
    if not form.is_valid():
        return payment.page(request, task_id, status=UNPROCESSABLE, answer=form)
    asked = _asked(escrow)
    return carry_out(
        request,
        lambda: _answer(actor, asked, form.cleaned_data["note"], request_key(request), accept=False),
        done=_("You refused. Our staff will settle it; the money stays where it is."),
        to=payment.address(task_id),
    )


def _asked(escrow: Escrow) -> Refund:
    """Return the refund request; once it is answered the newest refund, so that a refusal names its present state."""
    asked = escrow.refunds.filter(state=RefundState.REQUESTED.value).first() or escrow.refunds.order_by("-pk").first()
    if asked is None:
        raise Http404
    return asked


def _answer(actor: Actor, asked: Refund, note: str, key: str, *, accept: bool) -> Any:
    return refunds.answer(
        actor=actor, refund_id=asked.pk, accept=accept, note=note, now=timezone.now(), request_key=key
    )


@require_POST
@signed_in
@parties_only
def withdraw(request: HttpRequest, task_id: int) -> HttpResponse:
    """Withdraw one's own refund request."""
    actor = actor_of(request)
    asked = payment.escrow_of(actor, task_id).refunds.order_by("-pk").first()
    if asked is None:
        raise Http404
    return carry_out(
        request,
        lambda: refunds.withdraw(actor=actor, refund_id=asked.pk, now=timezone.now()),
        done=_("You took the request back."),
        to=payment.address(task_id),
    )


urlpatterns = [
    path("tasks/<int:task_id>/payment/refund/", refund, name="payment-refund"),
    path("tasks/<int:task_id>/payment/give-back/", give_back, name="payment-give-back"),
    path("tasks/<int:task_id>/payment/refund/accept/", accept, name="refund-accept"),
    path("tasks/<int:task_id>/payment/refund/refuse/", refuse, name="refund-refuse"),
    path("tasks/<int:task_id>/payment/refund/withdraw/", withdraw, name="refund-withdraw"),
]
