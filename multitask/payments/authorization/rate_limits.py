"""Limits on how many objects a user may create at the provider, since each costs a call there and causes events.

Calls are counted by object, just before it is created, so a repeated request for an existing object is free.
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
# Servers' clocks differ by less than this; a later date was written by a clock that was ahead.
AHEAD: Final = timedelta(minutes=1)
# The first key of this module's advisory locks; the second is the user's id.
_LOCK: Final = 0x11517


class Purpose(StrEnum):
    """The kind of object; each has its own limit, from the setting that `_LIMITS` names."""

    SETUP = "setup"
    CARD = "card"
    DEFAULT_CARD = "default_card"
    ACCOUNT = "account"
    ONBOARDING_LINK = "onboarding_link"
    CUSTOMER = "customer"
    PAYMENT = "payment"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"


_LIMITS: Final = {
    Purpose.SETUP: "CARD_CALLS_PER_USER",
    Purpose.CARD: "CARD_CALLS_PER_USER",
    Purpose.DEFAULT_CARD: "CARD_CALLS_PER_USER",
    Purpose.ACCOUNT: "CARD_CALLS_PER_USER",
    Purpose.ONBOARDING_LINK: "CARD_CALLS_PER_USER",
    Purpose.CUSTOMER: "CARD_CALLS_PER_USER",
    Purpose.PAYMENT: "PAYMENT_CALLS_PER_USER",
    Purpose.REFUND: "PAYMENT_CALLS_PER_USER",
    Purpose.WITHDRAWAL: "PAYMENT_CALLS_PER_USER",
}


@database.transactional
def count(*, user_id: int, purpose: Purpose, key: str, now: datetime) -> None:
    """Count the call that creates the object `key` of a user, once per key. Raises TooManyRequests.

    The count is rolled back with the command's transaction, so a command that fails for another reason is not counted.
    """
    limit: int = getattr(settings, _LIMITS[purpose])
    if not limit:
        return
    key = key[:255]
    with connection.cursor() as cursor:
        # Concurrent calls of one user are counted one after the other, so that they cannot exceed the limit.
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
