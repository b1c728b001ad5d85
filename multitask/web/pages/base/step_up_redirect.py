"""Step-up authentication: views that move money out ask for a fresh code of the second factor first."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from multitask.users.powers import ProofNeeded
from multitask.web import step_up
from multitask.web.pages.base.rendering import user_of

Response = TypeVar("Response", bound=HttpResponseBase)
View = Callable[..., Response]


def require_step_up(back: str = "") -> Callable[[View[Response]], View[Response | HttpResponseRedirect]]:
    """Decorate a view, below `signed_in`, to require a fresh code; the user returns to it after entering one.

    A form that was sent with an expired proof is shown again with what was typed, carried in the address. A view
    that accepts only POST names the page to return to in `back`.
    """

    def decorate(view: View[Response]) -> View[Response | HttpResponseRedirect]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Response | HttpResponseRedirect:
            try:
                step_up.require_fresh(request, user_of(request), timezone.now())
            except ProofNeeded:
                return redirect_to_step_up(request, back)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def redirect_to_step_up(request: HttpRequest, back: str = "") -> HttpResponseRedirect:
    """Redirect to the page that asks for the code, and from there to `back` or to this address."""
    return redirect(f"{reverse('pages:prove')}?{urlencode({'next': _return_to(request, back)})}")


def _return_to(request: HttpRequest, back: str) -> str:
    if back:
        return reverse(back)
    if request.method != "POST":
        return request.get_full_path()
    typed = {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    return f"{request.path}?{urlencode(typed)}" if typed else request.path
