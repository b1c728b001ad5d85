"""Language and theme, from the foot of every page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

from multitask.web.pages.base import themes


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language and theme on this device and go back to where the choice was made."""
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
    # A relative address without its slash passes Django's check and would land somewhere else.
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else "/"


urlpatterns = [path("preferences/", change, name="preferences")]
