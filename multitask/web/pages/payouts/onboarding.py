"""Payout accounts: choose a country, set up, continue after a link has expired, replace, see what is missing."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from multitask.errors import DomainError
from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import account_status, onboarding
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, signed_in, user_of
from multitask.web.pages.base.step_up_redirect import require_step_up
from multitask.web.pages.payouts import requirements
from multitask.web.pages.payouts.place_form import PlaceForm


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show the state of the payout account and what is still missing."""
    account = onboarding.account_of(user_of(request).pk)
    return _render(request, account, _form(request) if _needs_new(account) else None)


def _render(
    request: HttpRequest, account: ConnectedAccount | None, form: PlaceForm | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "account": account,
        "form": form,
        "status": None if account is None else account_status.of(account),
        "sentences": [] if account is None else [_(sentence) for sentence in account_status.sentences(account)],
        "due": [] if account is None else requirements.due(account),
        "checked": [] if account is None else requirements.checked(account),
        "can_be_replaced": account is not None and not account.is_final and onboarding.can_be_replaced(account),
    }
    template = "payouts/onboarding_state.html" if request.htmx else "payouts/onboarding.html"  # type: ignore[attr-defined]
    return render_page(request, template, context, status=status)


def _needs_new(account: ConnectedAccount | None) -> bool:
    return account is None or account.is_final


def _form(request: HttpRequest) -> PlaceForm:
    """Return the form with what was sent, or with the profile's country and currency."""
    user = user_of(request)
    return PlaceForm(request.POST or None, country=user.country, currency=user.default_currency)


@require_POST
@signed_in
@require_step_up(back="pages:onboarding")
def start(request: HttpRequest) -> HttpResponse:
    """Create the account if there is none that can be used, then redirect to the provider's pages."""
    account = onboarding.account_of(user_of(request).pk)
    form = _form(request) if _needs_new(account) else None
    if form is not None and not form.is_valid():
        return _render(request, account, form, status=UNPROCESSABLE)
    try:
        if form is not None:
            onboarding.create(actor=actor_of(request), now=timezone.now(), **form.cleaned_data)
        return redirect(_link(request))
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        return redirect("pages:onboarding")


def _link(request: HttpRequest) -> str:
    refresh = request.build_absolute_uri(reverse("pages:onboarding-refresh"))
    back = request.build_absolute_uri(reverse("pages:onboarding-return"))
    actor, now = actor_of(request), timezone.now()
    return onboarding.link(actor=actor, refresh_url=refresh, return_url=back, now=now).url


@require_http_methods(["GET", "POST"])
@signed_in
@require_step_up()
def replace(request: HttpRequest) -> HttpResponse:
    """Ask for another country and currency; on POST, replace the account, to which nothing was paid yet."""
    account = onboarding.account_of(user_of(request).pk)
    if account is None or account.is_final or not onboarding.can_be_replaced(account):
        return redirect("pages:onboarding")
    form = PlaceForm(request.POST or None, country=account.country, currency=account.currency)
    if request.method == "POST" and form.is_valid():
        try:
            onboarding.replace(actor=actor_of(request), now=timezone.now(), **form.cleaned_data)
            return redirect(_link(request))
        except DomainError as refusal:
            form.add_error(None, error_messages.of(refusal))
    context = {"form": form, "account": account}
    return render_page(request, "payouts/account_replace.html", context, status=UNPROCESSABLE if form.is_bound else 200)


@require_POST
@signed_in
@require_step_up(back="pages:onboarding")
def open_dashboard(request: HttpRequest) -> HttpResponse:
    """Redirect into the account at the provider, where a complete account's bank details are changed."""
    try:
        return redirect(onboarding.login_link(actor=actor_of(request), now=timezone.now()))
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        return redirect("pages:onboarding")


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
    path("onboarding/replace/", replace, name="onboarding-replace"),
    path("onboarding/dashboard/", open_dashboard, name="onboarding-dashboard"),
    path("onboarding/return/", return_from_provider, name="onboarding-return"),
    path("onboarding/refresh/", resume, name="onboarding-refresh"),
]
