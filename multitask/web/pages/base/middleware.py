"""Time zone and language of the signed-in user."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from multitask.users.models import User


class ReaderMiddleware:
    """Activates the user's time zone and language; a language chosen on this device takes precedence.

    Both stay active until the thread's next request, which sets them again: streamed responses are written after
    this middleware has returned.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Store the next handler."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle one request."""
        timezone.deactivate()
        # Without the cookie nobody can be signed in, so requests with a token need no session query.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            _activate(request, request.user)
        return self.get_response(request)


def _activate(request: HttpRequest, user: User) -> None:
    timezone.activate(user.zone)
    has_chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) in dict(settings.LANGUAGES)
    if not has_chosen and user.language in dict(settings.LANGUAGES):
        translation.activate(user.language)
        request.LANGUAGE_CODE = user.language
