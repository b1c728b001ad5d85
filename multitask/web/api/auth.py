"""Authentication: by a bearer token, or by the session of a page.

Either way the user is read from the database at each request, so a revoked role or a closed account takes effect
with the next request.
"""

import uuid
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from multitask.users import sessions
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web import step_up
from multitask.web.api import tokens
from multitask.web.api.request_errors import Refused


class CsrfFailed(Refused):
    """A request with a page's session came without a valid CSRF token."""

    code = "csrf_failed"
    message = "The CSRF token is missing or not right. Reload the page and try again."


class Bearer(HttpBearer):
    """An access token in the Authorization header."""

    openapi_bearerFormat = "JWT"  # noqa: N815 - the name that OpenAPI gives it

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Return the token's user. Raises InvalidToken, even if there is a page's session too."""
        claims = tokens.read_access(token)
        user = sessions.user_of(user_id=claims.user_id, family=claims.session)
        if user is None:
            raise tokens.InvalidToken
        request.token_proved_at = claims.proved_at  # type: ignore[attr-defined]
        request.token_session = claims.session  # type: ignore[attr-defined]
        return user


class PageSession(APIKeyCookie):
    """The session of a user who logged in on a page; anything but reading needs the CSRF token."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the session's user, or None without a login. Raises CsrfFailed."""
        if not request.user.is_authenticated:
            return None
        # Checked after the session, so that a caller without a login gets 401.
        if check_csrf(request):
            raise CsrfFailed
        return request.user

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Return the session's user; Django's session framework has read the key already."""
        return self(request)


AUTH = [Bearer(), PageSession()]


def user_of(request: HttpRequest) -> User:
    """Return the authenticated user of an operation that needs one."""
    return cast(User, request.auth)  # type: ignore[attr-defined]


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor of an authenticated request; staff without a second-factor proof has no staff powers."""
    user = user_of(request)
    assurance = step_up.staff_assurance(request, user)
    return Actor.of(user, ip=_ip(request), request_id=_request_id(request), assurance=assurance)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Return whether a staff member calls in a session that was not proved by a second factor."""
    user: User | None = getattr(request, "auth", None)
    return user is not None and step_up.is_unproved_staff(request, user)


def visitor_of(request: HttpRequest) -> Actor:
    """Return the actor of an anonymous request."""
    return Actor.visitor(ip=_ip(request), request_id=_request_id(request))


def session_of(request: HttpRequest) -> uuid.UUID:
    """Return the session of a request with a bearer token."""
    return cast(uuid.UUID, request.token_session)  # type: ignore[attr-defined]


def require_fresh_proof(request: HttpRequest) -> None:
    """Require a fresh proof from a caller with a second factor. Raises ProofNeeded."""
    step_up.require_fresh(request, user_of(request), timezone.now())


def _ip(request: HttpRequest) -> str | None:
    return cast("str | None", getattr(request, "client_ip", None))


def _request_id(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))
