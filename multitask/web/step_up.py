"""Which second factor proved the session of a request, and when: the pages keep it in the session, the API in its
token and with its session's tokens in the database."""

import uuid
from datetime import UTC, datetime

from django.http import HttpRequest
from django.utils import timezone

from multitask.users import second_factor, sessions
from multitask.users.actor import Assurance
from multitask.users.models import User

PROVED_AT = "second_factor_proved_at"
PROVED_BY = "second_factor_proved_by"


def keep(request: HttpRequest, user: User, now: datetime) -> None:
    """Remember in the session that the second factor was proved just now."""
    request.session[PROVED_AT] = int(now.timestamp())
    request.session[PROVED_BY] = second_factor.device_id(user.pk)
    _forget_answer(request)


def proved_at(request: HttpRequest) -> datetime | None:
    """When this session's user last proved it, if ever."""
    kept = request.session.get(PROVED_AT)
    return datetime.fromtimestamp(kept, UTC) if isinstance(kept, int) else None


def require_fresh(request: HttpRequest, user: User, now: datetime) -> None:
    """Require a fresh proof, by the token of this request if it came with one. Raises ProofNeeded."""
    second_factor.require_fresh(user_id=user.pk, proved_at=_proved_at(request), now=now)


def of_staff(request: HttpRequest, user: User) -> Assurance:
    """Return how far the second factor stands behind this request of the staff; NONE for everybody else.

    Asked of the database once per request.
    """
    if not user.staff_role:
        return Assurance.NONE
    known: tuple[int, Assurance] | None = getattr(request, "staff_proof", None)
    if known is None or known[0] != user.pk:
        known = user.pk, _of_staff(request, user)
        request.staff_proof = known  # type: ignore[attr-defined]
    return known[1]


def is_unproved_staff(request: HttpRequest, user: User) -> bool:
    """Return whether somebody of the staff came without the proof that the staff's powers take."""
    return bool(user.staff_role) and of_staff(request, user) is Assurance.NONE


def _of_staff(request: HttpRequest, user: User) -> Assurance:
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


def _forget_answer(request: HttpRequest) -> None:
    if hasattr(request, "staff_proof"):
        del request.staff_proof
