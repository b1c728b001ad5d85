"""What people read where there is no page to show: nothing there, not allowed, something broke, no records in reach.

Below the API's addresses its middleware puts its own body in the place of these.
"""

import sys
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from multitask.web.pages.context import everywhere
from multitask.web.pages.shell import page

# What a page without scripts, forms and strangers needs; where the policy's own middleware was not reached.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SOON: Final = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One of these pages in words: a title, what it means, and one way on."""

    title: str
    text: str
    button: str
    address: str = "/"


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Nothing there, or nothing that this person may know of."""
    text = _("The address is mistyped, the page is gone, or it belongs to somebody else.")
    told = Told(title=_("There is nothing here"), text=text, button=_("Go to the home page"))
    return _framed(request, told, HTTPStatus.NOT_FOUND)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Known, and refused."""
    text = _("Your account does not allow what you asked for. Nothing has moved.")
    return _framed(
        request, Told(title=_("You may not do this"), text=text, button=_("Go to the home page")), HTTPStatus.FORBIDDEN
    )


def back_office_only(request: HttpRequest, address: str) -> HttpResponse:
    """Refuse staff that acts on the customers' pages; `address` is where the same thing is done in the back office."""
    told = Told(
        title=_("You may not do this"),
        text=_("Staff acts on other people's escrows in the back office, where each action has a reason."),
        button=_("Open it in the back office"),
        address=address,
    )
    return _framed(request, told, HTTPStatus.FORBIDDEN)


def out_of_date(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: most often shown before its reader signed in or out in another tab."""
    text = _("You have signed in or out since you opened it, or your browser keeps no cookies. Nothing was sent.")
    told = Told(title=_("This page is out of date"), text=text, button=_("Load it again"), address=_came_from(request))
    return _framed(request, told, HTTPStatus.FORBIDDEN)


def not_understood(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Something that no page of ours sends."""
    text = _("Your browser sent something that we cannot read. Nothing has moved.")
    told = Told(title=_("We did not understand this"), text=text, button=_("Go to the home page"))
    return _bare(request, told, HTTPStatus.BAD_REQUEST)


def broken(request: HttpRequest) -> HttpResponse:
    """An exception that nobody expected, or records that cannot be reached for now; asks the database nothing."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _unavailable(request)
    told = Told(
        title=_("Something went wrong on our side"),
        text=_("Your money is safe. See how things stand before you send anything again."),
        button=_("Go to the home page"),
    )
    return _bare(request, told, HTTPStatus.INTERNAL_SERVER_ERROR)


def _unavailable(request: HttpRequest) -> HttpResponse:
    """No records in reach. What was sent may have taken effect: the connection can break in the midst of it."""
    is_read = request.method in {"GET", "HEAD"}
    told = Told(
        title=_("We are back in a moment"),
        text=_("Our records cannot be reached just now. Your money is safe. ")
        + _("If you have sent something, see whether it took effect before you send it again."),
        button=_("Try again"),
        address=request.get_full_path() if is_read else _came_from(request),
    )
    answer = _bare(request, told, HTTPStatus.SERVICE_UNAVAILABLE)
    answer["Retry-After"] = _SOON
    return answer


@cache
def busy(language: str, status: int) -> bytes:
    """The page of a request that waited for a thread in vain, in a language of the site; it names nobody."""
    with translation.override(language):
        told = Told(
            title=_("We are back in a moment"),
            text=_(
                "Too many requests wait for an answer just now. Yours was not looked at, so nothing has moved. "
                "Try again in a moment."
            ),
            button=_("Go to the home page"),
        )
        return _bare(HttpRequest(), told, status).content


def _framed(request: HttpRequest, told: Told, status: int) -> HttpResponse:
    return page(request, "fault.html", {"told": told}, status=status)


def _bare(request: HttpRequest, told: Told, status: int) -> HttpResponse:
    """Without whatever needs the database, a session or a host name to be trusted."""
    context: dict[str, Any] = {"told": told, "request_id": getattr(request, "request_id", ""), **everywhere(request)}
    answer = HttpResponse(render_to_string("pages/fault_bare.html", context), status=status)
    answer["Cache-Control"] = "no-store"
    answer["Content-Security-Policy"] = POLICY
    return answer


def _came_from(request: HttpRequest) -> str:
    """The page of ours that the form was on, as far as the browser says."""
    address = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}):
        return "/"
    found = urlsplit(address)
    return escape_leading_slashes(f"{found.path}?{found.query}" if found.query else found.path) or "/"
