"""Checkout: the provider's form takes the card; only its webhook decides whether it is paid."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from multitask.errors import DomainError
from multitask.marketplace import listing, paying
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.funding import cancellations
from multitask.payments.models import Escrow, Payment
from multitask.payments.operations import engine
from multitask.payments.provider import Collects, Redirect, supporting, supports
from multitask.payments.states import EscrowState, PaymentState
from multitask.web import continuations
from multitask.web.pages.base import error_messages, labels
from multitask.web.pages.base.rendering import actor_of, render_page, signed_in, user_of
from multitask.web.pages.escrow.parties import parties_only

# The page that waits for the confirmation polls every POLL_SECONDS, for at most LONGEST_WAIT_SECONDS.
POLL_SECONDS = 2
LONGEST_WAIT_SECONDS = 180
# Who comes back from a refused try may see the decline of an earlier one, until the callback of this one has arrived.
LATE_DECLINE_SECONDS = 10

FAILED_STATES = {PaymentState.CANCELLED.value, PaymentState.REVIEW.value, PaymentState.RETURNED.value}


@require_POST
@signed_in
@parties_only
def begin(request: HttpRequest, task_id: int) -> HttpResponse:
    """Create the payment of the task's accepted application, then redirect to the form."""
    actor = actor_of(request)
    try:
        task = listing.task(actor, task_id=task_id)
        if task.accepted_application_id is None:
            raise Http404
        paying.create_intent(actor=actor, application_id=task.accepted_application_id, now=timezone.now())
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        return redirect("pages:task", task_id=task_id)
    return redirect("pages:checkout", task_id=task_id)


@require_GET
@signed_in
def show(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show what is paid for, and the provider's form or the way to its page; for the client of the task only."""
    escrow = _escrow(request, task_id)
    if escrow is None:
        return redirect("pages:task", task_id=task_id)
    payment = _payment(escrow)
    if escrow.state != EscrowState.PENDING_PAYMENT.value or payment is None:
        return redirect("pages:payment", task_id=task_id)
    if cancellations.has_expired(payment, timezone.now()):
        # The button there makes another payment.
        return redirect("pages:payment", task_id=task_id)
    continuation = continuations.of_payment(payment)
    context = {
        "escrow": escrow,
        "payment": payment,
        "page_url": continuation.url if isinstance(continuation, Redirect) else "",
        "task": escrow.agreement.task,
        "fee": Money(escrow.fee_minor, escrow.currency),
        "freelancer_share": Money(escrow.freelancer_minor, escrow.currency),
        "continuation": continuation,
        "return_url": request.build_absolute_uri(reverse("pages:checkout-wait", args=[task_id])),
    }
    return render_page(request, "funding/checkout.html", context)


@require_GET
@signed_in
def wait(request: HttpRequest, task_id: int) -> HttpResponse:
    """Wait for the provider's confirmation; the page updates itself and never shows "paid" before."""
    escrow = _escrow(request, task_id)
    if escrow is None:
        raise Http404
    payment = _payment(escrow)
    state, was_confirmed = _state(escrow, payment), _was_confirmed(request)
    if state == "declined" and was_confirmed:
        # The decline on record may belong to an earlier attempt; the result of this one has not arrived yet.
        state = "waiting"
    waited, has_just_failed = _waited(request), "declined" in request.GET
    longest = {"waiting": LONGEST_WAIT_SECONDS, "declined": LATE_DECLINE_SECONDS if has_just_failed else 0}
    context = {
        "escrow": escrow,
        "payment": payment,
        "poll_seconds": POLL_SECONDS,
        "waited": waited + POLL_SECONDS,
        "is_polled": waited < longest.get(state, 0),
        "task": escrow.agreement.task,
        "state": state,
        "failure": "" if payment is None else labels.explanation(payment.failure_reason),
        "is_elsewhere": payment is not None and isinstance(continuations.of_payment(payment), Redirect),
        "hint": "confirmed" if was_confirmed else "declined" if has_just_failed else "",
    }
    template = "funding/checkout_state.html" if request.htmx else "funding/checkout_wait.html"  # type: ignore[attr-defined]
    return render_page(request, template, context)


@require_GET
@signed_in
def returned(request: HttpRequest, provider: str) -> HttpResponse:
    """Lead back from the provider's page to the page that waits for the confirmation of that payment.

    Anybody can write this address, so it only chooses among the client's own payments, and none is paid by it.
    """
    named = next((each for each in engine.configured_providers() if each.name == provider), None)
    if named is None or not supports(named, Collects):
        raise Http404
    said = supporting(named, Collects).returned(request.GET.dict())
    mine = access.visible_escrows(actor_of(request)).filter(
        client_id=user_of(request).pk, payments__provider=provider, payments__provider_payment_id=said.payment_id
    )
    task_id = mine.values_list("agreement__task", flat=True).first() if said.payment_id else None
    if task_id is None:
        messages.info(request, _("We do not know this payment. Your tasks show what is paid."))
        return redirect("pages:tasks")
    # A decline that is on record may be that of an earlier try.
    hint = "declined" if said.has_failed else "confirmed"
    return redirect(f"{reverse('pages:checkout-wait', args=[task_id])}?{hint}")


def _waited(request: HttpRequest) -> int:
    """Return for how many seconds this page has polled."""
    given = request.GET.get("waited", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else 0


def _was_confirmed(request: HttpRequest) -> bool:
    """Return whether the payment form has just been confirmed, by the address that its script or redirect leads to."""
    return "confirmed" in request.GET or request.GET.get("redirect_status") in {"succeeded", "pending"}


def _escrow(request: HttpRequest, task_id: int) -> Escrow | None:
    """Return the task's escrow that is not cancelled, for its client only."""
    mine = access.visible_escrows(actor_of(request)).filter(agreement__task=task_id, client_id=user_of(request).pk)
    live = mine.exclude(state=EscrowState.CANCELLED.value)
    return live.select_related("agreement__task", "milestone", "client", "freelancer").order_by("-pk").first()


def _payment(escrow: Escrow) -> Payment | None:
    """Return the payment that the form is for: the newest that exists at the provider."""
    return escrow.payments.filter(provider_payment_id__isnull=False).order_by("-pk").first()


def _state(escrow: Escrow, payment: Payment | None) -> str:
    if escrow.state != EscrowState.PENDING_PAYMENT.value:
        return "paid"
    if payment is None or payment.state in FAILED_STATES:
        return "failed"
    if payment.failure_code and payment.provider_status != "processing":
        return "declined"
    return "waiting"


urlpatterns = [
    path("tasks/<int:task_id>/pay/", show, name="checkout"),
    path("tasks/<int:task_id>/pay/begin/", begin, name="checkout-begin"),
    path("tasks/<int:task_id>/pay/wait/", wait, name="checkout-wait"),
    path("pay/returned/<slug:provider>/", returned, name="checkout-returned"),
]
