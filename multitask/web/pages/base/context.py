"""The template context of every page: language, direction, theme and navigation."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from multitask.web.pages.base.themes import theme_of


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """One link of the main navigation."""

    label: str
    address: str
    is_here: bool


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return what the frame around every page needs."""
    return {
        "language": get_language() or "en",
        "direction": "rtl" if get_language_bidi() else "ltr",
        "theme": theme_of(request),
        "languages": settings.LANGUAGES,
        "is_development": settings.ENV.multitask_env != "production",
        "places": SimpleLazyObject(lambda: _places(request)),
    }


def _places(request: HttpRequest) -> list[NavigationEntry]:
    if not request.user.is_authenticated:
        return []
    known = [
        (_("Home"), "pages:home"),
        (_("Tasks"), "pages:tasks"),
        (_("Wallet"), "pages:wallet"),
        (_("Transactions"), "pages:transactions"),
    ]
    if request.user.is_staff:
        known.append((_("Back office"), "admin:index"))
    return [_place(request, label, reverse(name)) for label, name in known]


def _place(request: HttpRequest, label: str, address: str) -> NavigationEntry:
    is_here = request.path == address or (address != "/" and request.path.startswith(address))
    return NavigationEntry(label, address, is_here)
