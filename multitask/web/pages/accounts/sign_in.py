"""Sign in, with a code as the second step where two-step sign-in is on, and sign out."""

from datetime import datetime, timedelta
from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from multitask.errors import DomainError
from multitask.users import logins, passwords, second_factor
from multitask.users.logins import Proof
from multitask.users.models import User
from multitask.web import page_sessions
from multitask.web.pages.accounts.credential_forms import CodeForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import UNPROCESSABLE, next_address, render_page, visitor_of

# How long after the password the code is accepted.
SECOND_STEP: Final = timedelta(minutes=10)
_PENDING: Final = "pending_sign_in"


class SignInForm(forms.Form):
    """A user name or an email address, and the password."""

    identifier = forms.CharField(
        label=gettext_lazy("User name or email"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=passwords.LONGEST,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def start_session(request: HttpRequest, proof: Proof) -> HttpResponse:
    """Begin a session and redirect to where the visitor wanted to go.

    Raises InvalidCredentials if the password or the second factor has changed since it was checked.
    """
    page_sessions.begin(request, proof)
    return redirect(next_address(request))


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with a user name or an email address."""
    if request.user.is_authenticated:
        return redirect(next_address(request))
    form, now = SignInForm(request.POST or None), timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            proof = logins.prove_password(actor=visitor_of(request), now=now, **form.cleaned_data)
            return start_session(request, proof) if proof.device_id is None else _second_step(request, proof.user, now)
        except DomainError as refusal:
            form.add_error(None, error_messages.of(refusal))
    status = UNPROCESSABLE if form.is_bound else 200
    return render_page(request, "accounts/sign_in.html", {"form": form, "next": next_address(request)}, status=status)


def _second_step(request: HttpRequest, user: User, now: datetime) -> HttpResponse:
    """Keep in the session whose password was right, and ask for the code; nobody is signed in yet."""
    request.session.cycle_key()
    request.session[_PENDING] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "at": int(now.timestamp()),
    }
    return redirect(f"{reverse('pages:sign-in-code')}?{urlencode({'next': next_address(request)})}")


def _pending_user(request: HttpRequest, now: datetime) -> User | None:
    """Return the user whose password was right within SECOND_STEP; None if it has been changed since."""
    found = request.session.get(_PENDING)
    if not isinstance(found, dict) or not 0 <= now.timestamp() - found["at"] < SECOND_STEP.total_seconds():
        return None
    user = User.objects.filter(pk=found["user"], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == found["password"] else None


@sensitive_post_parameters("otp")
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code that completes signing in."""
    now = timezone.now()
    user = _pending_user(request, now)
    if user is None:
        messages.info(request, _("That took too long. Please sign in again."))
        return redirect(f"{reverse('pages:sign-in')}?{urlencode({'next': next_address(request)})}")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device_id = second_factor.device_id(user.pk)
            second_factor.prove(user_id=user.pk, actor=visitor_of(request), now=now, code=form.cleaned_data["otp"])
            response = start_session(request, Proof(user=user, device_id=device_id, proved_at=now))
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            del request.session[_PENDING]
            return response
    status = UNPROCESSABLE if form.is_bound else 200
    return render_page(
        request, "accounts/sign_in_code.html", {"form": form, "next": next_address(request)}, status=status
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    page_sessions.end(request)
    return redirect("pages:home")


urlpatterns = [
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-in/code/", sign_in_code, name="sign-in-code"),
    path("sign-out/", sign_out, name="sign-out"),
]
