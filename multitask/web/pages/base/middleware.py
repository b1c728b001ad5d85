"""Shows times in the zone of whoever is signed in, and speaks the language of their profile."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from multitask.users.models import User


class PersonalMiddleware:
    """Activates zone and language for one request; a device on which a language was chosen keeps it.

    What is activated stays so until the thread's next request, which begins by deciding anew: answers
    that are streamed are written after this has returned.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Keep what comes after."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        timezone.deactivate()
        # Without the cookie nobody can be signed in: programs with a token cost no look at the session.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            _personal(request, request.user)
        return self.get_response(request)


def _personal(request: HttpRequest, user: User) -> None:
    timezone.activate(user.zone)
    has_chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) in dict(settings.LANGUAGES)
    if not has_chosen and user.language in dict(settings.LANGUAGES):
        translation.activate(user.language)
        request.LANGUAGE_CODE = user.language
