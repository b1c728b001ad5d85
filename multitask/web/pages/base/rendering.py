"""What every view uses: who is asking, how a page is rendered, how a command is run.

No business rule lives in a page. A view runs a query and shows the result, or runs one command and redirects to the
page that shows what changed.
"""

import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from multitask.errors import DomainError
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.users.powers import ProofNeeded
from multitask.web import step_up
from multitask.web.pages.base import error_messages

Response = TypeVar("Response", bound=HttpResponseBase)

UNPROCESSABLE = 422
CONFLICT = 409


def signed_in(view: Callable[..., Response]) -> Callable[..., Response | HttpResponseRedirect]:
    """Require a signed-in user; others are sent to the sign-in page and come back afterwards."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Response | HttpResponseRedirect:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user, read from the database for this request."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in user as the actor of commands; staff without the second factor has no staff powers."""
    user = user_of(request)
    return Actor.of(
        user,
        ip=getattr(request, "client_ip", None),
        request_id=str(getattr(request, "request_id", "")),
        assurance=step_up.staff_assurance(request, user),
    )


def visitor_of(request: HttpRequest) -> Actor:
    """Return the actor of a request by somebody who has not signed in."""
    return Actor.visitor(ip=getattr(request, "client_ip", None), request_id=str(getattr(request, "request_id", "")))


def next_address(request: HttpRequest) -> str:
    """Return the address in `next` if it is one of ours, else the home page's."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_own_address(request, wanted) else reverse("pages:home")


def is_own_address(request: HttpRequest, address: str) -> bool:
    """Return whether an address stays on this site, so that redirecting to it is safe."""
    # A relative address without its slash passes Django's check and would lead somewhere else.
    return address.startswith("/") and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render `templates/pages/<template>`; pages about money are never cached."""
    response = render(request, f"pages/{template}", dict(context or {}), status=status)
    response["Cache-Control"] = "no-store"
    return response


def request_key(request: HttpRequest) -> str:
    """Return the request key of a form, so that a form that is sent twice takes effect once.

    Forms that could otherwise take effect twice carry a new one (`{% request_key %}`), made when the form was shown;
    a confirmation page sends on that of the form before it.
    """
    try:
        return str(uuid.UUID(request.POST.get("request_key", "")))
    except ValueError:
        return str(uuid.uuid4())


def carry_out(request: HttpRequest, command: Callable[[], object], *, done: str, to: str) -> HttpResponseRedirect:
    """Run one command, show `done` or the reason of the refusal, and redirect to `to`.

    The page that the form was on may have been out of date; the one at `to` shows the present state.
    """
    try:
        command()
    except ProofNeeded:
        messages.info(request, _("Confirm with a code, then do it again."))
        return redirect(f"{reverse('pages:prove')}?{urlencode({'next': to})}")
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
        if refusal.code in error_messages.OUT_OF_DATE:
            messages.info(
                request, _("Something has changed since you opened this page. It shows the present state now.")
            )
    else:
        messages.success(request, done)
    return redirect(to)
