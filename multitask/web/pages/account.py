"""Sign in, register, sign out."""

from django import forms
from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from multitask.errors import DomainError
from multitask.users import accounts
from multitask.users.accounts import Registration
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.pages import sentences
from multitask.web.pages.shell import UNPROCESSABLE, page

BACKEND = "multitask.users.backends.UsernameOrEmailBackend"


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

    def registration(self) -> Registration:
        """What the command takes."""
        found = dict(self.cleaned_data)
        roles: list[str] = found.pop("roles")
        return Registration(**found, is_client="is_client" in roles, is_freelancer="is_freelancer" in roles)


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


def welcome(request: HttpRequest, user: User) -> HttpResponse:
    """Begin a session and speak the language of the profile from now on."""
    login(request, user, backend=BACKEND)
    response = redirect(after(request))
    if user.language in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, user.language, samesite="Lax", httponly=True)
    return response


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with a user name or an email address."""
    if request.user.is_authenticated:
        return redirect(after(request))
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = accounts.authenticate(
                actor=visitor_of(request),
                now=timezone.now(),
                identifier=form.cleaned_data["identifier"],
                password=form.cleaned_data["password"],
            )
        except DomainError as refusal:
            form.add_error(None, sentences.of(refusal))
        else:
            return welcome(request, user)
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "sign_in.html", {"form": form, "next": after(request)}, status=status)


@sensitive_post_parameters("password")
def register(request: HttpRequest) -> HttpResponse:
    """Make an account and begin a session."""
    form = RegisterForm(request.POST or None, initial={"roles": [request.GET.get("as", "")]})
    if request.method == "POST" and form.is_valid():
        try:
            user = accounts.register(actor=visitor_of(request), now=timezone.now(), registration=form.registration())
        except DomainError as refusal:
            _beside(form, refusal)
        else:
            return welcome(request, user)
    status = UNPROCESSABLE if form.is_bound else 200
    return page(request, "register.html", {"form": form, "next": after(request)}, status=status)


def _beside(form: forms.Form, refusal: DomainError) -> None:
    if not refusal.fields:
        form.add_error(None, sentences.of(refusal))
    for name, sentence in refusal.fields.items():
        form.add_error(name if name in form.fields else "roles", _(sentence))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("pages:home")


urlpatterns = [
    path("sign-in/", sign_in, name="sign-in"),
    path("register/", register, name="register"),
    path("sign-out/", sign_out, name="sign-out"),
]
