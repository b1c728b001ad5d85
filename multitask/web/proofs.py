"""When the caller of a request last proved a second factor: the pages keep it in the session, the API in its token."""

from datetime import UTC, datetime

from django.http import HttpRequest

from multitask.users import second_factor
from multitask.users.models import User

_KEY = "second_factor_proved_at"


def keep(request: HttpRequest, now: datetime) -> None:
    """Remember in the session that the second factor was proved just now."""
    request.session[_KEY] = int(now.timestamp())


def proved_at(request: HttpRequest) -> datetime | None:
    """When this session's user last proved it, if ever."""
    kept = request.session.get(_KEY)
    return datetime.fromtimestamp(kept, UTC) if isinstance(kept, int) else None


def require_fresh(request: HttpRequest, user: User, now: datetime) -> None:
    """Insist on a fresh proof, by the token of this request if it came with one. Raises ProofNeeded."""
    in_token: datetime | None = getattr(request, "token_proved_at", None)
    by_token = hasattr(request, "token_proved_at")
    second_factor.require_fresh(user_id=user.pk, proved_at=in_token if by_token else proved_at(request), now=now)
