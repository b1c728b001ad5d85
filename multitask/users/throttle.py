"""Slows down those who guess passwords and codes, or flood us, by counting attempts in the database.

An attempt is written down as failed before the password is looked at and marked afterwards,
so a thousand guesses sent at once are counted like a thousand in a row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from multitask.users.errors import UserError
from multitask.users.models import LoginAttempt

WINDOW = timedelta(minutes=15)
KEEP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many failures within the window are borne, counting the one now tried; None is any number."""

    same_account_same_address: int = 10
    same_address: int | None = 60
    # High, as anybody can reach it for somebody else's account; it stops a spread-out search.
    same_account: int | None = 200


LIMITS = Limits()


class TooManyAttempts(UserError):
    """Too many failures of late; `retry_after` is in seconds."""

    code = "too_many_attempts"
    message = "Too many failed attempts to log in. Wait a while, then try again."

    def __init__(self, *, retry_after: int) -> None:
        """Keep how long to wait."""
        super().__init__()
        self.retry_after = retry_after


def begin(*, identifier: str, ip: str | None, now: datetime, limits: Limits = LIMITS, purpose: str = "login") -> int:
    """Count one attempt and return its id; raises TooManyAttempts when there were too many for its purpose.

    The attempt is written first and counted with the others: of any number at once, no more than
    the limit get through. One that is refused leaves no trace, so nobody is locked out for ever.
    """
    identifier = identifier.lower()[:254]
    attempt = LoginAttempt.objects.create(purpose=purpose, identifier=identifier, ip=ip, attempted_at=now)
    for condition, limit in (
        (Q(identifier=identifier, ip=ip), limits.same_account_same_address),
        (Q(ip=ip), limits.same_address),
        (Q(identifier=identifier), limits.same_account),
    ):
        oldest = None if limit is None else _beyond(condition & Q(purpose=purpose), limit, now)
        if oldest is not None:
            attempt.delete()
            raise TooManyAttempts(retry_after=max(1, int((oldest + WINDOW - now).total_seconds())))
    return attempt.pk


def succeeded(attempt_id: int) -> None:
    """Mark the attempt as no failure, so that it counts no more."""
    LoginAttempt.objects.filter(pk=attempt_id).update(succeeded=True)


def purge(*, now: datetime) -> int:
    """Delete attempts that are older than a month; returns how many."""
    deleted, _ = LoginAttempt.objects.filter(attempted_at__lt=now - KEEP).delete()
    return deleted


def _beyond(condition: Q, limit: int, now: datetime) -> datetime | None:
    """Return when the failure was whose ageing makes room again, or None while there is room."""
    failures = LoginAttempt.objects.filter(condition, attempted_at__gt=now - WINDOW, succeeded=False)
    # Only as many rows as the limit are ever read, however long the attack.
    return failures.order_by("-attempted_at", "-pk").values_list("attempted_at", flat=True)[limit : limit + 1].first()
