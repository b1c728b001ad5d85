"""How many objects one user may make at the provider in a while: each call costs time there and events that come back.

A call is counted where it is about to make something, by what is made, so asking again for what exists is free.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db import connection

from multitask import database
from multitask.payments.errors import TooManyRequests
from multitask.payments.models import ProviderCall

WINDOW: Final = timedelta(minutes=5)
KEEP: Final = timedelta(days=1)
# Clocks of several servers differ by less; a call from later than this was counted by a clock that was ahead.
AHEAD: Final = timedelta(minutes=1)
# The first number of the advisory locks of this module; the second is the user.
_LOCK: Final = 0x11517


class Purpose(StrEnum):
    """What is made; each has a limit of its own, from the setting that `_LIMITS` names."""

    SETUP = "setup"
    CARD = "card"
    DEFAULT_CARD = "default_card"
    ACCOUNT = "account"
    ONBOARDING_LINK = "onboarding_link"
    PAYMENT = "payment"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"


_LIMITS: Final = {
    Purpose.SETUP: "CARD_CALLS_PER_USER",
    Purpose.CARD: "CARD_CALLS_PER_USER",
    Purpose.DEFAULT_CARD: "CARD_CALLS_PER_USER",
    Purpose.ACCOUNT: "CARD_CALLS_PER_USER",
    Purpose.ONBOARDING_LINK: "CARD_CALLS_PER_USER",
    Purpose.PAYMENT: "PAYMENT_CALLS_PER_USER",
    Purpose.REFUND: "PAYMENT_CALLS_PER_USER",
    Purpose.WITHDRAWAL: "PAYMENT_CALLS_PER_USER",
}


@database.transactional
def count(*, user_id: int, purpose: Purpose, key: str, now: datetime) -> None:
    """Count a call that makes the object `key` of a user, once. Raises TooManyRequests when there were too many.

    Inside a command's transaction it is undone with it: what is refused for another reason does not count.
    """
    limit: int = getattr(settings, _LIMITS[purpose])
    if not limit:
        return
    key = key[:255]
    with connection.cursor() as cursor:
        # One user's calls at once are counted one after the other, so that no more than the limit get through.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, user_id % 2**31])
    calls = ProviderCall.objects.filter(user_id=user_id, purpose=purpose.value)
    recent = calls.filter(made_at__gt=now - WINDOW, made_at__lte=now + AHEAD)
    counted = list(recent.order_by("-made_at").values_list("key", "made_at"))
    if key in (earlier for earlier, _ in counted):
        return
    if len(counted) >= limit:
        earlier = counted[limit - 1][1]
        wait = min(earlier + WINDOW - now, WINDOW)
        raise TooManyRequests(retry_after=max(1, min(int(wait.total_seconds()) + 1, int(WINDOW.total_seconds()))))
    ProviderCall.objects.create(user_id=user_id, purpose=purpose.value, key=key, made_at=now)


def purge(*, now: datetime) -> int:
    """Delete calls that are older than a day; return how many."""
    deleted, _ = ProviderCall.objects.filter(made_at__lt=now - KEEP).delete()
    return deleted
