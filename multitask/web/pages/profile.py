"""One's own profile: language, time zone, currency, country, and what one wants to do here."""

from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.errors import DomainError
from multitask.money import Currency
from multitask.users import accounts
from multitask.web.pages import sentences
from multitask.web.pages.shell import UNPROCESSABLE, actor_of, page, signed_in, user_of


def _zones() -> list[tuple[str, str]]:
    return [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones()) if "/" in zone or zone == "UTC"]


def _currencies() -> list[tuple[str, str]]:
    return [(currency.code, currency.code) for currency in Currency.all()]


class ProfileForm(forms.Form):
    """What one may change about oneself."""

    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=_zones)
    default_currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=_currencies)
    is_client = forms.BooleanField(label=gettext_lazy("I hire people"), required=False)
    is_freelancer = forms.BooleanField(label=gettext_lazy("I work for others"), required=False)


@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show and change the profile."""
    user = user_of(request)
    initial = {name: getattr(user, name) for name in ProfileForm.base_fields}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.change_profile(actor=actor_of(request), now=timezone.now(), changes=dict(form.cleaned_data))
        except DomainError as refusal:
            for name, sentence in (refusal.fields or {"": sentences.of(refusal)}).items():
                form.add_error(name if name in form.fields else None, sentence)
        else:
            messages.success(request, _("Saved."))
            response = redirect("pages:profile")
            language = form.cleaned_data["language"]
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, samesite="Lax", httponly=True)
            return response
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "profile.html", {"form": form, "user": user}, status=status)


urlpatterns = [path("profile/", show, name="profile")]
