"""Error pages: not found, forbidden, out-of-date form, bad request, server error, database unavailable, busy.

For addresses of the API its middleware replaces the bodies of these pages by JSON.
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

from multitask.web.pages.base.context import frame
from multitask.web.pages.base.rendering import render_page

# For pages without scripts, forms and external content, where the middleware that sets the policy was not reached.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_RETRY_AFTER_SECONDS: Final = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """An error page: a title, what it means, and a link to continue with."""

    title: str
    text: str
    button: str
    address: str = "/"


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the page for an address that does not exist, or that this user may not know of."""
    text = _("The address is mistyped, the page is gone, or it belongs to somebody else.")
    error = ErrorPage(title=_("There is nothing here"), text=text, button=_("Go to the home page"))
    return _render(request, error, HTTPStatus.NOT_FOUND)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the page for something that the user's account does not allow."""
    text = _("Your account does not allow what you asked for. Nothing has moved.")
    return _render(
        request,
        ErrorPage(title=_("You may not do this"), text=text, button=_("Go to the home page")),
        HTTPStatus.FORBIDDEN,
    )


def back_office_only(request: HttpRequest, address: str) -> HttpResponse:
    """Return the page for staff on the customers' pages; `address` is where the same is done in the back office."""
    error = ErrorPage(
        title=_("You may not do this"),
        text=_("Staff acts on other people's escrows in the back office, where each action has a reason."),
        button=_("Open it in the back office"),
        address=address,
    )
    return _render(request, error, HTTPStatus.FORBIDDEN)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page for a form without its CSRF token: mostly after signing in or out in another tab."""
    text = _("You have signed in or out since you opened it, or your browser keeps no cookies. Nothing was sent.")
    error = ErrorPage(
        title=_("This page is out of date"), text=text, button=_("Load it again"), address=_came_from(request)
    )
    return _render(request, error, HTTPStatus.FORBIDDEN)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the page for a request that no page of ours sends."""
    text = _("Your browser sent something that we cannot read. Nothing has moved.")
    error = ErrorPage(title=_("We did not understand this"), text=text, button=_("Go to the home page"))
    return _render_bare(request, error, HTTPStatus.BAD_REQUEST)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for an unexpected exception or an unreachable database; it does not query the database."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _unavailable(request)
    error = ErrorPage(
        title=_("Something went wrong on our side"),
        text=_("Your money is safe. Check the current state before you send anything again."),
        button=_("Go to the home page"),
    )
    return _render_bare(request, error, HTTPStatus.INTERNAL_SERVER_ERROR)


def _unavailable(request: HttpRequest) -> HttpResponse:
    """Return the page for an unreachable database. What was sent may have taken effect before the connection broke."""
    is_read = request.method in {"GET", "HEAD"}
    error = ErrorPage(
        title=_("We are back in a moment"),
        text=_("Our records cannot be reached just now. Your money is safe. ")
        + _("If you have sent something, see whether it took effect before you send it again."),
        button=_("Try again"),
        address=request.get_full_path() if is_read else _came_from(request),
    )
    response = _render_bare(request, error, HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


@cache
def busy(language: str, status: int) -> bytes:
    """Return the page, in one of the site's languages, for a request that got no thread in time; it shows no user."""
    with translation.override(language):
        error = ErrorPage(
            title=_("We are back in a moment"),
            text=_(
                "Too many requests wait for an answer just now. Yours was not looked at, so nothing has moved. "
                "Try again in a moment."
            ),
            button=_("Go to the home page"),
        )
        return _render_bare(HttpRequest(), error, status).content


def _render(request: HttpRequest, error: ErrorPage, status: int) -> HttpResponse:
    if not hasattr(request, "session"):
        # A request to the API that skipped the middleware of pages.
        return _render_bare(request, error, status)
    return render_page(request, "error.html", {"error": error}, status=status)


def _render_bare(request: HttpRequest, error: ErrorPage, status: int) -> HttpResponse:
    """Render a page that needs no database, no session and no trusted host name."""
    context: dict[str, Any] = {"error": error, "request_id": getattr(request, "request_id", ""), **frame(request)}
    response = HttpResponse(render_to_string("pages/error_bare.html", context), status=status)
    response["Cache-Control"] = "no-store"
    response["Content-Security-Policy"] = POLICY
    return response


def _came_from(request: HttpRequest) -> str:
    """Return the address of the page that the form was on, from the Referer header; "/" if it is not ours."""
    address = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}):
        return "/"
    found = urlsplit(address)
    return escape_leading_slashes(f"{found.path}?{found.query}" if found.query else found.path) or "/"
