"""Rate limits for guessing passwords and codes and for flooding mailboxes, by attempts counted in the database.

An attempt is recorded as failed before the password is checked and marked afterwards,
so a thousand guesses sent at once are counted like a thousand in a row.

Attempts count by visitor: an IPv4 address, or the /64 of an IPv6 address, since the owner of one address of a /64 has
them all. The failures of other visitors never refuse a visitor by themselves: they reduce that visitor's own budget.

People share visitors: a household's IPv4 address, an office's /64. So an exact address from which an account was
entered in the last 30 days keeps a few tries for that account, whatever else failed from the same visitor. Only
failures on that account from that very address use them up.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from multitask.database import purging
from multitask.database.clocks import AHEAD
from multitask.users import names
from multitask.users.errors import UserError
from multitask.users.models import LoginAttempt

WINDOW: Final = timedelta(minutes=15)
# How long a visitor who has succeeded counts as known to the account.
KEEP: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many failures within the window are allowed, counting the one now tried; None is any number.

    Once an account has had `same_account` failures from all visitors together, `when_under_attack` is what is left to
    each visitor who has not succeeded in the last 30 days; 0 refuses them all. `known_address` is what an exact
    address that has succeeded in that time keeps for the account beside all of this.
    """

    same_account_same_address: int = 10
    same_address: int | None = 60
    same_account: int | None = 200
    when_under_attack: int = 3
    known_address: int = 5
    window: timedelta = WINDOW


LIMITS: Final = Limits()


class TooManyAttempts(UserError):
    """Too many failures of late; `retry_after` is in seconds."""

    code = "too_many_attempts"
    message = "Too many attempts. Wait a while, then try again."

    def __init__(self, *, retry_after: int) -> None:
        """Store the seconds to wait."""
        super().__init__()
        self.retry_after = retry_after


def begin(*, identifier: str, ip: str | None, now: datetime, limits: Limits = LIMITS, purpose: str = "login") -> int:
    """Count one attempt and return its id; raises TooManyAttempts when there were too many for its purpose.

    The attempt is written first and counted with the others: of any number at once, no more than
    the limit get through. A refused one is not kept, so nobody is locked out for ever.
    """
    attempt = LoginAttempt.objects.create(
        purpose=purpose,
        identifier=names.key(identifier)[:254],
        ip=visitor(ip),
        exact_ip=_exact(ip),
        attempted_at=now,
    )
    oldest = _oldest_too_many(attempt, limits)
    if oldest is not None and attempt.exact_ip is not None and _is_known(attempt, Q(exact_ip=attempt.exact_ip)):
        mine = Q(identifier=attempt.identifier, exact_ip=attempt.exact_ip)
        oldest = _beyond(attempt, mine, limits.known_address, limits.window)
    if oldest is not None:
        attempt.delete()
        wait = min(oldest + limits.window - now, limits.window)
        raise TooManyAttempts(retry_after=max(1, int(wait.total_seconds())))
    return attempt.pk


def succeeded(attempt_id: int) -> None:
    """Mark the attempt as no failure: it counts no more, and its visitor is known to the account from now on."""
    LoginAttempt.objects.filter(pk=attempt_id).update(succeeded=True)


def visitor(ip: str | None) -> str | None:
    """Return the address by which a visitor counts: IPv4 as it is, also when it is mapped into IPv6, else the /64."""
    exact = _exact(ip)
    if exact is None or "." in exact:
        return exact
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(exact)) >> 64 << 64))


def _exact(ip: str | None) -> str | None:
    """Return an address in one spelling: no zone, and IPv4 as it is when it is mapped into IPv6."""
    if ip is None:
        return None
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address)))
    return str(address)


def purge(*, now: datetime) -> int:
    """Delete attempts that are older than a month; return how many."""
    return purging.delete(LoginAttempt.objects.filter(attempted_at__lt=now - KEEP))


def _oldest_too_many(attempt: LoginAttempt, limits: Limits) -> datetime | None:
    """Return the time of the failure that has to expire before this attempt is allowed; None when it is allowed."""
    account, address = Q(identifier=attempt.identifier), Q(ip=attempt.ip)
    oldest = _beyond(attempt, account & address, limits.same_account_same_address, limits.window)
    if oldest is None and limits.same_address is not None:
        oldest = _beyond(attempt, address, limits.same_address, limits.window)
    if oldest is not None or limits.same_account is None:
        return oldest
    oldest = _beyond(attempt, account, limits.same_account, limits.window)
    if oldest is None or _is_known(attempt, address):
        return None
    if not limits.when_under_attack:
        return oldest
    return _beyond(attempt, account & address, limits.when_under_attack, limits.window)


def _beyond(attempt: LoginAttempt, condition: Q, limit: int, window: timedelta) -> datetime | None:
    since, until = attempt.attempted_at - window, attempt.attempted_at + AHEAD
    failures = LoginAttempt.objects.filter(
        condition, purpose=attempt.purpose, attempted_at__gt=since, attempted_at__lte=until, succeeded=False
    )
    # Only as many rows as the limit are ever read, however long the attack.
    return failures.order_by("-attempted_at", "-pk").values_list("attempted_at", flat=True)[limit : limit + 1].first()


def _is_known(attempt: LoginAttempt, address: Q) -> bool:
    return LoginAttempt.objects.filter(
        address,
        purpose=attempt.purpose,
        identifier=attempt.identifier,
        succeeded=True,
        attempted_at__gt=attempt.attempted_at - KEEP,
        attempted_at__lte=attempt.attempted_at + AHEAD,
    ).exists()
