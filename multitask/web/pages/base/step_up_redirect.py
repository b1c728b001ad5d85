"""Lets people on to what moves money out only after a fresh proof by their second factor, if they have one."""

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

Answer = TypeVar("Answer", bound=HttpResponseBase)
View = Callable[..., Answer]


def fresh_second_factor(back: str = "") -> Callable[[View[Answer]], View[Answer | HttpResponseRedirect]]:
    """Ask for a code first, then go on where the visitor was; decorates a view below `signed_in`.

    A form that was sent with a proof too old is shown again with what was typed, since an address
    carries it; a view that only takes forms names the page to go `back` to.
    """

    def decorate(view: View[Answer]) -> View[Answer | HttpResponseRedirect]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Answer | HttpResponseRedirect:
            try:
                step_up.require_fresh(request, user_of(request), timezone.now())
            except ProofNeeded:
                return ask(request, back)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def ask(request: HttpRequest, back: str = "") -> HttpResponseRedirect:
    """Go to where the code is asked for, and come back from there."""
    return redirect(f"{reverse('pages:prove')}?{urlencode({'next': _return_to(request, back)})}")


def _return_to(request: HttpRequest, back: str) -> str:
    if back:
        return reverse(back)
    if request.method != "POST":
        return request.get_full_path()
    typed = {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    return f"{request.path}?{urlencode(typed)}" if typed else request.path
