"""The user's profile: language, time zone, currency, roles and email address."""

from functools import cache

from babel.core import get_global
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from multitask.errors import DomainError
from multitask.money import Currency
from multitask.payments.funding import saved_methods
from multitask.users import accounts, addresses, second_factor, time_zones
from multitask.web.pages.accounts.credential_forms import ChangeEmailForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import (
    UNPROCESSABLE,
    actor_of,
    carry_out,
    render_page,
    signed_in,
    user_of,
    visitor_of,
)


@cache
def _zones() -> frozenset[str]:
    """Return the zones to offer: one name per zone; other names of the same zone are accepted but not listed."""
    places = {zone for zone in get_global("zone_territories") if "/" in zone and not zone.startswith("Etc/")}
    return frozenset((places & time_zones.names() - set(get_global("zone_aliases"))) | {"UTC"})


def _currencies() -> list[tuple[str, str]]:
    return [(currency.code, currency.code) for currency in Currency.all()]


class ProfileForm(forms.Form):
    """The settings that users change themselves."""

    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=lambda: [(z, z) for z in time_zones.names()])
    default_currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=_currencies)
    is_client = forms.BooleanField(label=gettext_lazy("I hire people"), required=False)
    is_freelancer = forms.BooleanField(label=gettext_lazy("I work for others"), required=False)


@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show and change the profile."""
    user = user_of(request)
    initial = {name: getattr(user, name) for name in ProfileForm.base_fields} | {"time_zone": user.zone.key}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.change_profile(actor=actor_of(request), now=timezone.now(), changes=dict(form.cleaned_data))
        except DomainError as refusal:
            for name, sentence in (refusal.fields or {"": error_messages.of(refusal)}).items():
                form.add_error(name if name in form.fields else None, _(sentence))
        else:
            return _saved(request, form.cleaned_data["language"])
    status = UNPROCESSABLE if form.is_bound else 200
    zones = sorted(_zones() | {user.zone.key})
    context = {
        "form": form,
        "zones": zones,
        "user": user,
        "has_second_factor": second_factor.is_on(user.pk),
        "saved_cards": saved_methods.owned(actor_of(request)).count(),
    }
    return render_page(request, "accounts/profile.html", context, status=status)


def _saved(request: HttpRequest, language: str) -> HttpResponse:
    """Confirm in the language just chosen, and drop this device's own choice of language."""
    with translation.override(language):
        messages.success(request, _("Saved."))
    response = redirect("pages:profile")
    response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
    return response


@signed_in
@sensitive_post_parameters("current")
def change_email(request: HttpRequest) -> HttpResponse:
    """Send a link to a new email address, which replaces the present one when it is confirmed."""
    form = ChangeEmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            addresses.ask_for_change(actor=actor_of(request), now=timezone.now(), **form.cleaned_data)
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            words = _("We have written to %(address)s. Open the link in that message to confirm the address.")
            messages.success(request, words % {"address": form.cleaned_data["email"]})
            return redirect("pages:profile")
    return render_page(
        request, "accounts/email_change.html", {"form": form}, status=UNPROCESSABLE if form.is_bound else 200
    )


@require_POST
@signed_in
def resend_confirmation(request: HttpRequest) -> HttpResponse:
    """Send the confirmation email again."""
    return carry_out(
        request,
        lambda: addresses.ask_for_confirmation(actor=actor_of(request), now=timezone.now()),
        done=_("We have sent the message again. Open the link in it to confirm your address."),
        to="pages:profile",
    )


def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm an email address by POST only, because mail scanners follow every link."""
    try:
        link = addresses.read_link(token)
        if request.method == "POST":
            addresses.confirm(actor=visitor_of(request), now=timezone.now(), token=token)
            messages.success(request, _("Your email address is confirmed."))
            return redirect("pages:profile" if request.user.is_authenticated else "pages:sign-in")
    except DomainError as refusal:
        context = {"reason": error_messages.of(refusal)}
        return render_page(request, "accounts/email_link_invalid.html", context, status=404)
    return render_page(
        request, "accounts/email_confirm.html", {"address": link.address, "username": link.user.username}
    )


urlpatterns = [
    path("profile/", show, name="profile"),
    path("profile/email/", change_email, name="email-change"),
    path("profile/email/resend/", resend_confirmation, name="email-resend"),
    path("profile/email/confirm/<str:token>/", confirm_email, name="email-confirm"),
]
