"""Passwords: change one's own, or reset a forgotten one by a link in an email."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from multitask.errors import DomainError
from multitask.users import credentials
from multitask.web import page_sessions
from multitask.web.pages.accounts.credential_forms import AddressForm, ChangePasswordForm, NewPasswordForm
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, signed_in, visitor_of


@signed_in
@sensitive_post_parameters("current", "password")
def change(request: HttpRequest) -> HttpResponse:
    """Change one's own password; this session continues, all others end."""
    form = ChangePasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = credentials.change_password(actor=actor_of(request), now=timezone.now(), **form.cleaned_data)
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            if not page_sessions.renew(request, user):
                messages.success(request, _("Your password is changed. Sign in with the new one."))
                return redirect("pages:sign-in")
            messages.success(request, _("Your password is changed. Every other session has ended."))
            return redirect("pages:profile")
    return render_page(
        request, "accounts/password_change.html", {"form": form}, status=UNPROCESSABLE if form.is_bound else 200
    )


def forgotten(request: HttpRequest) -> HttpResponse:
    """Send a reset link; the page does not reveal whether the address belongs to an account."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            credentials.ask_for_reset(actor=visitor_of(request), now=timezone.now(), address=form.cleaned_data["email"])
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            return redirect("pages:password-sent")
    return render_page(
        request, "accounts/password_forgotten.html", {"form": form}, status=UNPROCESSABLE if form.is_bound else 200
    )


def sent(request: HttpRequest) -> HttpResponse:
    """Show that an email was sent."""
    return render_page(request, "accounts/password_sent.html")


@sensitive_post_parameters("password")
def reset(request: HttpRequest, name: str, token: str) -> HttpResponse:
    """Choose a new password, from a reset link."""
    user = credentials.resettable(name=name, token=token)
    if user is None:
        return render_page(request, "accounts/password_link_invalid.html", status=404)
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            credentials.reset_password(
                actor=visitor_of(request),
                now=timezone.now(),
                name=name,
                token=token,
                password=form.cleaned_data["password"],
            )
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, _("Your password is changed. Sign in with the new one."))
            return redirect("pages:sign-in")
    context = {"form": form, "username": user.username}
    return render_page(request, "accounts/password_reset.html", context, status=UNPROCESSABLE if form.is_bound else 200)


urlpatterns = [
    path("password/change/", change, name="password-change"),
    path("password/forgotten/", forgotten, name="password-forgotten"),
    path("password/forgotten/sent/", sent, name="password-sent"),
    path("password/reset/<str:name>/<str:token>/", reset, name="password-reset"),
]
