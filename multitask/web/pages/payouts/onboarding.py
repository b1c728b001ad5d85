"""Onboarding of freelancers: start, continue after a link has expired, see what is still missing."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from multitask.errors import DomainError
from multitask.payments.payouts import onboarding
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import actor_of, render_page, signed_in, user_of
from multitask.web.pages.base.step_up_redirect import require_step_up
from multitask.web.pages.payouts import requirements


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show the state of the payout account and what is still missing."""
    account = onboarding.account_of(user_of(request).pk)
    context = {
        "account": account,
        "due": [] if account is None else requirements.due(account),
        "checked": [] if account is None else requirements.checked(account),
        "is_waiting": account is not None and account.details_submitted and not account.onboarding_completed,
    }
    template = "payouts/onboarding_state.html" if request.htmx else "payouts/onboarding.html"  # type: ignore[attr-defined]
    return render_page(request, template, context)


@require_POST
@signed_in
@require_step_up(back="pages:onboarding")
def start(request: HttpRequest) -> HttpResponse:
    """Create the account if there is none, then redirect to the provider's pages."""
    user, actor = user_of(request), actor_of(request)
    try:
        if onboarding.account_of(user.pk) is None:
            onboarding.create(actor=actor, country=user.country, currency=user.default_currency, now=timezone.now())
        return redirect(_link(request))
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        return redirect("pages:onboarding")


def _link(request: HttpRequest) -> str:
    refresh = request.build_absolute_uri(reverse("pages:onboarding-refresh"))
    back = request.build_absolute_uri(reverse("pages:onboarding-return"))
    actor, now = actor_of(request), timezone.now()
    return onboarding.link(actor=actor, refresh_url=refresh, return_url=back, now=now).url


@require_GET
@signed_in
@require_step_up()
def resume(request: HttpRequest) -> HttpResponse:
    """Redirect to a new link after the earlier one was used or has expired."""
    try:
        return redirect(_link(request))
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        return redirect("pages:onboarding")


@require_GET
@signed_in
def return_from_provider(request: HttpRequest) -> HttpResponse:
    """Read the account from the provider: returning from its pages does not mean that onboarding is complete."""
    try:
        onboarding.refresh(user_id=user_of(request).pk, now=timezone.now())
    except DomainError:
        messages.info(
            request, _("We could not ask the payment provider just now; this page will show its answer soon.")
        )
    return redirect("pages:onboarding")


urlpatterns = [
    path("onboarding/", show, name="onboarding"),
    path("onboarding/start/", start, name="onboarding-start"),
    path("onboarding/return/", return_from_provider, name="onboarding-return"),
    path("onboarding/refresh/", resume, name="onboarding-refresh"),
]
