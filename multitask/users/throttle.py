"""Slows down those who guess passwords and codes, or flood mailboxes, by counting attempts in the database.

An attempt is written down as failed before the password is looked at and marked afterwards,
so a thousand guesses sent at once are counted like a thousand in a row.

Attempts count by visitor: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address of a /64 has
them all. The failures of other visitors never refuse a visitor by themselves: they make his own budget smaller.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from multitask.users import names
from multitask.users.errors import UserError
from multitask.users.models import LoginAttempt

WINDOW: Final = timedelta(minutes=15)
# For as long a visitor who has succeeded is known to the account.
KEEP: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many failures within the window are allowed, counting the one now tried; None is any number.

    Once an account has had `same_account` failures from all visitors together, `when_besieged` is what is left to
    each visitor who has not succeeded in the last 30 days; 0 refuses them all.
    """

    same_account_same_address: int = 10
    same_address: int | None = 60
    same_account: int | None = 200
    when_besieged: int = 3


LIMITS: Final = Limits()


class TooManyAttempts(UserError):
    """Too many failures of late; `retry_after` is in seconds."""

    code = "too_many_attempts"
    message = "Too many attempts. Wait a while, then try again."

    def __init__(self, *, retry_after: int) -> None:
        """Keep how long to wait."""
        super().__init__()
        self.retry_after = retry_after


def begin(*, identifier: str, ip: str | None, now: datetime, limits: Limits = LIMITS, purpose: str = "login") -> int:
    """Count one attempt and return its id; raises TooManyAttempts when there were too many for its purpose.

    The attempt is written first and counted with the others: of any number at once, no more than
    the limit get through. One that is refused leaves no trace, so nobody is locked out for ever.
    """
    attempt = LoginAttempt.objects.create(
        purpose=purpose, identifier=names.key(identifier)[:254], ip=visitor(ip), attempted_at=now
    )
    oldest = _oldest_too_many(attempt, limits)
    if oldest is not None:
        attempt.delete()
        raise TooManyAttempts(retry_after=max(1, int((oldest + WINDOW - now).total_seconds())))
    return attempt.pk


def succeeded(attempt_id: int) -> None:
    """Mark the attempt as no failure: it counts no more, and its visitor is known to the account from now on."""
    LoginAttempt.objects.filter(pk=attempt_id).update(succeeded=True)


def visitor(ip: str | None) -> str | None:
    """Return the address by which a visitor counts: IPv4 as it is, also when it is mapped into IPv6, else the /64."""
    if ip is None:
        return None
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))


def purge(*, now: datetime) -> int:
    """Delete attempts that are older than a month; returns how many."""
    deleted, _ = LoginAttempt.objects.filter(attempted_at__lt=now - KEEP).delete()
    return deleted


def _oldest_too_many(attempt: LoginAttempt, limits: Limits) -> datetime | None:
    """Return when the failure was whose ageing makes room for this attempt again, or None while there is room."""
    account, address = Q(identifier=attempt.identifier), Q(ip=attempt.ip)
    oldest = _beyond(attempt, account & address, limits.same_account_same_address)
    if oldest is None and limits.same_address is not None:
        oldest = _beyond(attempt, address, limits.same_address)
    if oldest is not None or limits.same_account is None:
        return oldest
    besieged = _beyond(attempt, account, limits.same_account)
    if besieged is None or _is_known(attempt):
        return None
    return _beyond(attempt, account & address, limits.when_besieged) if limits.when_besieged else besieged


def _beyond(attempt: LoginAttempt, condition: Q, limit: int) -> datetime | None:
    since = attempt.attempted_at - WINDOW
    failures = LoginAttempt.objects.filter(condition, purpose=attempt.purpose, attempted_at__gt=since, succeeded=False)
    # Only as many rows as the limit are ever read, however long the attack.
    return failures.order_by("-attempted_at", "-pk").values_list("attempted_at", flat=True)[limit : limit + 1].first()


def _is_known(attempt: LoginAttempt) -> bool:
    return LoginAttempt.objects.filter(
        purpose=attempt.purpose,
        identifier=attempt.identifier,
        ip=attempt.ip,
        succeeded=True,
        attempted_at__gt=attempt.attempted_at - KEEP,
    ).exists()
