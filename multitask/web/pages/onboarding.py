"""Onboarding of freelancers: start, go on after a link has expired, see what is still due in words."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from multitask.errors import DomainError
from multitask.payments.payouts import onboarding
from multitask.web.pages import requirements, sentences
from multitask.web.pages.proof import fresh_second_factor
from multitask.web.pages.shell import actor_of, page, signed_in, user_of


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show how the payout account stands and what is still due."""
    account = onboarding.account_of(user_of(request).pk)
    context = {
        "account": account,
        "due": [] if account is None else requirements.due(account),
        "checked": [] if account is None else requirements.checked(account),
        "is_waiting": account is not None and account.details_submitted and not account.onboarding_completed,
    }
    template = "parts/onboarding_state.html" if request.htmx else "onboarding.html"  # type: ignore[attr-defined]
    return page(request, template, context)


@require_POST
@signed_in
@fresh_second_factor(back="pages:onboarding")
def start(request: HttpRequest) -> HttpResponse:
    """Create the account if there is none, then go to the provider's own pages."""
    user, actor = user_of(request), actor_of(request)
    try:
        if onboarding.account_of(user.pk) is None:
            onboarding.create(actor=actor, country=user.country, currency=user.default_currency, now=timezone.now())
        return redirect(_link(request))
    except DomainError as refusal:
        messages.error(request, sentences.of(refusal))
        return redirect("pages:onboarding")


def _link(request: HttpRequest) -> str:
    refresh = request.build_absolute_uri(reverse("pages:onboarding-refresh"))
    back = request.build_absolute_uri(reverse("pages:onboarding-return"))
    actor, now = actor_of(request), timezone.now()
    return onboarding.link(actor=actor, refresh_url=refresh, return_url=back, now=now).url


@require_GET
@signed_in
@fresh_second_factor()
def resume(request: HttpRequest) -> HttpResponse:
    """Make a fresh link for somebody whose link was used up or too old."""
    try:
        return redirect(_link(request))
    except DomainError as refusal:
        messages.error(request, sentences.of(refusal))
        return redirect("pages:onboarding")


@require_GET
@signed_in
def come_back(request: HttpRequest) -> HttpResponse:
    """Ask the provider how things stand; coming back says nothing about being done."""
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
    path("onboarding/return/", come_back, name="onboarding-return"),
    path("onboarding/refresh/", resume, name="onboarding-refresh"),
]
