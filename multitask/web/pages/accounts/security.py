"""Two-step sign-in: set up, recovery codes, switch off; and the page that asks for a fresh code."""

from base64 import b32encode
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from multitask.errors import DomainError
from multitask.users import second_factor
from multitask.web import step_up
from multitask.web.pages.accounts.credential_forms import CodeForm, PasswordForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, next_address, render_page, signed_in, user_of

# The address to continue with after two-step sign-in had to be switched on first.
_CONTINUE_AT: Final = "after_second_factor"


@require_safe
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show whether two-step sign-in is on; `next` is the address to continue with once it is switched on."""
    if "next" in request.GET:
        request.session[_CONTINUE_AT] = next_address(request)
    return _show(request)


def _show(request: HttpRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    user_id = user_of(request).pk
    is_on = second_factor.is_on(user_id)
    device = None if is_on else second_factor.waiting(user_id, timezone.now())
    context: dict[str, Any] = {"is_on": is_on, "code": CodeForm(), "off": CodeForm(), "start": PasswordForm()}
    if is_on:
        context["codes_left"] = second_factor.codes_left(user_id)
    if device is not None:
        key = b32encode(device.bin_key).decode().rstrip("=").lower()
        context["picture"] = second_factor.picture(device)
        context["key"] = " ".join(key[start : start + 4] for start in range(0, len(key), 4))
    return render_page(request, "accounts/security.html", {**context, **forms}, status=status)


@require_POST
@signed_in
@sensitive_post_parameters("current")
def begin(request: HttpRequest) -> HttpResponse:
    """Create a secret for the authenticator app; requires the password."""
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            second_factor.begin(actor=actor_of(request), now=timezone.now(), password=form.cleaned_data["current"])
        except second_factor.AlreadyOn as refusal:
            messages.info(request, error_messages.of(refusal))
            return redirect("pages:security")
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            return redirect("pages:security")
    return _show(request, start=form, status=UNPROCESSABLE)


@require_POST
@signed_in
def cancel(request: HttpRequest) -> HttpResponse:
    """Discard the secret and leave two-step sign-in off."""
    second_factor.cancel(actor=actor_of(request), now=timezone.now())
    return redirect("pages:security")


@require_POST
@signed_in
@sensitive_post_parameters("otp")
def confirm(request: HttpRequest) -> HttpResponse:
    """Switch two-step sign-in on with a first code, and show the recovery codes once."""
    form, now = CodeForm(request.POST), timezone.now()
    if form.is_valid():
        try:
            codes = second_factor.confirm(actor=actor_of(request), now=now, code=form.cleaned_data["otp"])
        except second_factor.AlreadyOn:
            # The form was sent twice: recovery codes are not shown a second time.
            return redirect("pages:security")
        except second_factor.NotOn:
            messages.info(request, _("This key is no longer waiting to be confirmed. Begin again."))
            return redirect("pages:security")
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            step_up.record(request, user_of(request), now)
            context = {"codes": codes, "is_first": True, "go_on": request.session.pop(_CONTINUE_AT, None)}
            return render_page(request, "accounts/recovery_codes.html", context)
    return _show(request, code=form, status=UNPROCESSABLE)


@signed_in
@sensitive_post_parameters("otp")
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Replace the recovery codes; requires a code of the app or an unused recovery code."""
    if not second_factor.is_on(user_of(request).pk):
        return redirect("pages:security")
    form, now = CodeForm(request.POST or None), timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            codes = second_factor.renew_codes(actor=actor_of(request), now=now, code=form.cleaned_data["otp"])
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            step_up.record(request, user_of(request), now)
            return render_page(request, "accounts/recovery_codes.html", {"codes": codes})
    return render_page(
        request, "accounts/recovery_codes_renew.html", {"form": form}, status=UNPROCESSABLE if form.is_bound else 200
    )


@require_POST
@signed_in
@sensitive_post_parameters("otp")
def switch_off(request: HttpRequest) -> HttpResponse:
    """Switch two-step sign-in off."""
    form = CodeForm(request.POST)
    if form.is_valid():
        try:
            second_factor.switch_off(actor=actor_of(request), now=timezone.now(), code=form.cleaned_data["otp"])
        except second_factor.NotOn:
            return redirect("pages:security")
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, _("Two-step sign-in is off."))
            return redirect("pages:security")
    return _show(request, off=form, status=UNPROCESSABLE)


@signed_in
@sensitive_post_parameters("otp")
def prove(request: HttpRequest) -> HttpResponse:
    """Ask for a code before an action that moves money out, then continue with that action."""
    user, now = user_of(request), timezone.now()
    if not second_factor.is_on(user.pk):
        return redirect(next_address(request))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            second_factor.prove(user_id=user.pk, actor=actor_of(request), now=now, code=form.cleaned_data["otp"])
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            step_up.record(request, user_of(request), now)
            return redirect(next_address(request))
    context = {"form": form, "next": next_address(request)}
    return render_page(request, "accounts/step_up.html", context, status=UNPROCESSABLE if form.is_bound else 200)


urlpatterns = [
    path("security/", show, name="security"),
    path("security/begin/", begin, name="security-begin"),
    path("security/cancel/", cancel, name="security-cancel"),
    path("security/confirm/", confirm, name="security-confirm"),
    path("security/codes/", renew_codes, name="security-codes"),
    path("security/off/", switch_off, name="security-off"),
    path("security/prove/", prove, name="prove"),
]
