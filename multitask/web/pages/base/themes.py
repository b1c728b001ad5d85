"""Light, dark, or whatever the device prefers; kept in a cookie, as it belongs to the device."""

from typing import Final

from django.http import HttpRequest

COOKIE: Final = "theme"
THEMES: Final = ("auto", "light", "dark")
YEAR_SECONDS: Final = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """The theme that this device chose."""
    chosen = request.COOKIES.get(COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"
