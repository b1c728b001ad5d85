"""The language and the theme of this device, chosen in the footer of every page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

from multitask.web.pages.base import themes
from multitask.web.pages.base.rendering import is_own_address


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Store the chosen language and theme in cookies and redirect back to the page."""
    response = redirect(_back(request))
    language, theme = request.POST.get("language", ""), request.POST.get("theme", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        _keep(response, settings.LANGUAGE_COOKIE_NAME, language)
    if theme in themes.THEMES:
        _keep(response, themes.COOKIE, theme)
    return response


def _keep(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=themes.YEAR_SECONDS,
        samesite="Lax",
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "/")
    return wanted if is_own_address(request, wanted) else "/"


urlpatterns = [path("preferences/", change, name="preferences")]
