"""Sign in, with a second step for those who have set one up; register, sign out."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from multitask.errors import DomainError
from multitask.users import accounts, logins, second_factor
from multitask.users.accounts import Registration
from multitask.users.actor import Actor
from multitask.users.logins import Proof
from multitask.users.models import User
from multitask.web import page_sessions
from multitask.web.pages.accounts.credential_forms import CodeForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import UNPROCESSABLE, page

# How long after the password the code may be given.
SECOND_STEP: Final = timedelta(minutes=10)
_HALF_WAY: Final = "half_way_in"


class SignInForm(forms.Form):
    """Either name, and the password."""

    identifier = forms.CharField(
        label=gettext_lazy("User name or email"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class RegisterForm(forms.Form):
    """Who somebody is and what they want to do here."""

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
        max_length=200,
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
        """Take a zone that we know, else UTC: nobody has typed it."""
        zone: str = self.cleaned_data["time_zone"]
        return zone if zone in available_timezones() else "UTC"

    def registration(self) -> Registration:
        """What the command takes."""
        found = dict(self.cleaned_data)
        roles: list[str] = found.pop("roles")
        return Registration(
            **found,
            language=get_language() or "en",
            is_client="is_client" in roles,
            is_freelancer="is_freelancer" in roles,
        )


def visitor_of(request: HttpRequest) -> Actor:
    """The actor of somebody who has not signed in."""
    return Actor.visitor(ip=getattr(request, "client_ip", None), request_id=str(getattr(request, "request_id", "")))


def after(request: HttpRequest) -> str:
    """Where somebody goes who has signed in: where they wanted to go, if that is here."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("pages:home")


def welcome(request: HttpRequest, proof: Proof) -> HttpResponse:
    """Begin a session and go on. Raises InvalidCredentials if what was proved stands no more."""
    page_sessions.begin(request, proof)
    return redirect(after(request))


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with a user name or an email address."""
    if request.user.is_authenticated:
        return redirect(after(request))
    form, now = SignInForm(request.POST or None), timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            proof = logins.prove_password(actor=visitor_of(request), now=now, **form.cleaned_data)
            return welcome(request, proof) if proof.device_id is None else _second_step(request, proof.user, now)
        except DomainError as refusal:
            form.add_error(None, error_messages.of(refusal))
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "sign_in.html", {"form": form, "next": after(request)}, status=status)


def _second_step(request: HttpRequest, user: User, now: datetime) -> HttpResponse:
    """Remember who gave the right password, and ask for the code; nobody is signed in yet."""
    request.session.cycle_key()
    request.session[_HALF_WAY] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "at": int(now.timestamp()),
    }
    return redirect(f"{reverse('pages:sign-in-code')}?{urlencode({'next': after(request)})}")


def _half_way(request: HttpRequest, now: datetime) -> User | None:
    """Who gave the right password in this session not long ago; a password changed since counts no more."""
    found = request.session.get(_HALF_WAY)
    if not isinstance(found, dict) or not 0 <= now.timestamp() - found["at"] < SECOND_STEP.total_seconds():
        return None
    user = User.objects.filter(pk=found["user"], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == found["password"] else None


@sensitive_post_parameters("otp")
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Take the code that completes signing in."""
    now = timezone.now()
    user = _half_way(request, now)
    if user is None:
        messages.info(request, _("That took too long. Please sign in again."))
        return redirect(f"{reverse('pages:sign-in')}?{urlencode({'next': after(request)})}")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device_id = second_factor.device_id(user.pk)
            second_factor.prove(user_id=user.pk, actor=visitor_of(request), now=now, code=form.cleaned_data["otp"])
            response = welcome(request, Proof(user=user, device_id=device_id, proved_at=now))
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            del request.session[_HALF_WAY]
            return response
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "sign_in_code.html", {"form": form, "next": after(request)}, status=status)


@sensitive_post_parameters("password")
def register(request: HttpRequest) -> HttpResponse:
    """Make an account and begin a session; the address waits to be confirmed."""
    if request.user.is_authenticated:
        return redirect(after(request))
    form = RegisterForm(request.POST or None, initial={"roles": [request.GET.get("as", "")]})
    if request.method == "POST" and form.is_valid():
        try:
            user = accounts.register(actor=visitor_of(request), now=timezone.now(), registration=form.registration())
            return welcome(request, Proof(user=user))
        except DomainError as refusal:
            _beside(form, refusal)
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "register.html", {"form": form, "next": after(request)}, status=status)


def _beside(form: forms.Form, refusal: DomainError) -> None:
    if not refusal.fields:
        form.add_error(None, error_messages.of(refusal))
    for name, sentence in refusal.fields.items():
        form.add_error(name if name in form.fields else "roles", _(sentence))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    page_sessions.end(request)
    return redirect("pages:home")


urlpatterns = [
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-in/code/", sign_in_code, name="sign-in-code"),
    path("register/", register, name="register"),
    path("sign-out/", sign_out, name="sign-out"),
]
