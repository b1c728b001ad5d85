"""What every page is made with: who looks at it, how it is rendered, how a command is carried out.

No rule lives in a page. A page asks a query and shows the answer, or carries out one command and
goes on to the page that shows what became of it.
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
from django.utils.translation import gettext as _

from multitask.errors import DomainError
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.users.powers import ProofNeeded
from multitask.web import step_up
from multitask.web.pages.base import error_messages

Answer = TypeVar("Answer", bound=HttpResponseBase)

UNPROCESSABLE = 422
CONFLICT = 409


def signed_in(view: Callable[..., Answer]) -> Callable[..., Answer | HttpResponseRedirect]:
    """Let only people in who have signed in; others sign in first and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Answer | HttpResponseRedirect:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def user_of(request: HttpRequest) -> User:
    """The signed-in user, read from the database at this request."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """The actor of this request, for commands; staff without a proof by the second factor is no staff here."""
    user = user_of(request)
    return Actor.of(
        user,
        ip=getattr(request, "client_ip", None),
        request_id=str(getattr(request, "request_id", "")),
        assurance=step_up.of_staff(request, user),
    )


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render `templates/pages/<template>`; pages about money are never kept by a cache."""
    response = render(request, f"pages/{template}", dict(context or {}), status=status)
    response["Cache-Control"] = "no-store"
    return response


def request_key(request: HttpRequest) -> str:
    """The key of a form that was sent, so that sending it twice does it once.

    Each form that moves money carries a fresh one (`{% request_key %}`), made when it was shown.
    """
    try:
        return str(uuid.UUID(request.POST.get("request_key", "")))
    except ValueError:
        return str(uuid.uuid4())


def carry_out(request: HttpRequest, command: Callable[[], object], *, done: str, to: str) -> HttpResponseRedirect:
    """Run one command, say what became of it, and go to the page at `to`, which shows how things are now.

    A refusal is said in words too: the page that the form was on may have been out of date.
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
