"""Registration: make an account and sign in with it."""

from babel.core import get_global
from babel.numbers import get_territory_currencies
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from multitask.errors import DomainError
from multitask.payments.operations import routes
from multitask.users import accounts, passwords, time_zones
from multitask.users.accounts import Registration
from multitask.users.logins import Proof
from multitask.web.pages.accounts.sign_in import start_session
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import UNPROCESSABLE, next_address, render_page, visitor_of


class RegisterForm(forms.Form):
    """A user name, an email address, a password, and the roles that the person wants."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    email = forms.CharField(
        label=gettext_lazy("Email"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=passwords.LONGEST,
        strip=False,
        help_text=gettext_lazy("At least 8 characters, and nothing that is easy to guess."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=True),
    )
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("I want to"),
        choices=[("is_client", gettext_lazy("hire people")), ("is_freelancer", gettext_lazy("work for others"))],
        widget=forms.CheckboxSelectMultiple,
    )
    # Filled in by the browser where scripts run.
    time_zone = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-time-zone": ""}))

    def clean_time_zone(self) -> str:
        """Return the zone if it is known, else UTC; the browser sent it, so the user could not correct it."""
        zone: str = self.cleaned_data["time_zone"]
        return zone if zone in time_zones.names() else "UTC"

    def registration(self) -> Registration:
        """Return what `accounts.register` takes."""
        found = dict(self.cleaned_data)
        roles: list[str] = found.pop("roles")
        return Registration(
            **found,
            language=get_language() or "en",
            is_client="is_client" in roles,
            is_freelancer="is_freelancer" in roles,
            **_place(found["time_zone"]),
        )


def _place(time_zone: str) -> dict[str, str]:
    """Return the country of a time zone and its currency, if that is used here.

    Both are first choices: the profile changes the currency, and the country is asked before a payout account is made.
    """
    country = get_global("zone_territories").get(time_zone, "")
    offered = set(routes.currencies())
    found = [currency for currency in get_territory_currencies(country) if currency in offered] if country else []
    return {"country": country, "default_currency": found[0]} if found else {}


@sensitive_post_parameters("password")
def register(request: HttpRequest) -> HttpResponse:
    """Make an account and begin a session; the email address is confirmed later, by a link."""
    if request.user.is_authenticated:
        return redirect(next_address(request))
    form = RegisterForm(request.POST or None, initial={"roles": [request.GET.get("as", "")]})
    if request.method == "POST" and form.is_valid():
        try:
            user = accounts.register(actor=visitor_of(request), now=timezone.now(), registration=form.registration())
            return start_session(request, Proof(user=user))
        except DomainError as refusal:
            _add_errors(form, refusal)
    status = UNPROCESSABLE if form.is_bound else 200
    return render_page(request, "accounts/register.html", {"form": form, "next": next_address(request)}, status=status)


def _add_errors(form: forms.Form, refusal: DomainError) -> None:
    if not refusal.fields:
        form.add_error(None, error_messages.of(refusal))
    for name, sentence in refusal.fields.items():
        form.add_error(name if name in form.fields else "roles", _(sentence))


urlpatterns = [path("register/", register, name="register")]
