"""Step-up authentication: which second factor verified the session of a request, and when.

The pages store it in the session; the API in its access token and with its session's tokens in the database.
"""

import uuid
from datetime import UTC, datetime

from django.http import HttpRequest
from django.utils import timezone

from multitask.users import second_factor, sessions
from multitask.users.actor import Assurance
from multitask.users.models import User
from multitask.users.owner_proof import OwnerProof

PROVED_AT = "second_factor_proved_at"
PROVED_BY = "second_factor_proved_by"


def record(request: HttpRequest, user: User, now: datetime) -> None:
    """Record in the session that the second factor was verified at `now`."""
    request.session[PROVED_AT] = int(now.timestamp())
    request.session[PROVED_BY] = second_factor.device_id(user.pk)
    _forget_assurance(request)


def proved_at(request: HttpRequest) -> datetime | None:
    """Return when the second factor was last verified in this session; None if never."""
    kept = request.session.get(PROVED_AT)
    return datetime.fromtimestamp(kept, UTC) if isinstance(kept, int) else None


def require_fresh(request: HttpRequest, user: User, now: datetime) -> None:
    """Require a recent verification, from the request's token or else its session. Raises ProofNeeded."""
    second_factor.require_fresh(user_id=user.pk, proved_at=_proved_at(request), now=now)


def owner_proof(request: HttpRequest, password: str = "") -> OwnerProof:
    """Return what a request brings to prove that its user is the owner; `password` was entered for this change."""
    return OwnerProof(proved_at=_proved_at(request), password=password)


def staff_assurance(request: HttpRequest, user: User) -> Assurance:
    """Return how strongly a staff member's request is verified; NONE for everybody else.

    Read from the database once per request.
    """
    if not user.staff_role:
        return Assurance.NONE
    known: tuple[int, Assurance] | None = getattr(request, "staff_assurance", None)
    if known is None or known[0] != user.pk:
        known = user.pk, _read_assurance(request, user)
        request.staff_assurance = known  # type: ignore[attr-defined]
    return known[1]


def is_unproved_staff(request: HttpRequest, user: User) -> bool:
    """Return whether a staff member has not verified the second factor, which staff powers require."""
    return bool(user.staff_role) and staff_assurance(request, user) is Assurance.NONE


def _read_assurance(request: HttpRequest, user: User) -> Assurance:
    return second_factor.staff_proof(
        user_id=user.pk, proved_by=_proved_by(request), proved_at=_proved_at(request), now=timezone.now()
    )


def _by_token(request: HttpRequest) -> bool:
    return hasattr(request, "token_session")


def _proved_at(request: HttpRequest) -> datetime | None:
    in_token: datetime | None = getattr(request, "token_proved_at", None)
    return in_token if _by_token(request) else proved_at(request)


def _proved_by(request: HttpRequest) -> int | None:
    if _by_token(request):
        family: uuid.UUID = request.token_session  # type: ignore[attr-defined]
        return sessions.proved_by(family=family)
    kept = request.session.get(PROVED_BY)
    return kept if isinstance(kept, int) else None


def _forget_assurance(request: HttpRequest) -> None:
    if hasattr(request, "staff_assurance"):
        del request.staff_assurance
