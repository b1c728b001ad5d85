"""Limits on how many objects a user may create at the provider, since each costs a call there and causes events.

Calls are counted by object, just before it is created, so a repeated request for an existing object is free. Reading an
account is counted each time.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings

from multitask import database
from multitask.database import Statement, purging
from multitask.database.clocks import AHEAD
from multitask.payments.errors import TooManyRequests
from multitask.payments.models import ProviderCall

WINDOW: Final = timedelta(minutes=5)
KEEP: Final = timedelta(days=1)
# The first key of this module's advisory locks; the second is the user's id.
_LOCK: Final = 0x11517
_COUNT: Final = Statement("""
SELECT payments_count_call(%(lock)s, %(user)s, %(purpose)s, %(key)s, %(now)s, %(since)s, %(until)s, %(most)s)
""")


class Purpose(StrEnum):
    """The kind of object; each has its own limit, from the setting that `_LIMITS` names."""

    SETUP = "setup"
    CARD = "card"
    DEFAULT_CARD = "default_card"
    ACCOUNT = "account"
    ACCOUNT_READ = "account_read"
    ONBOARDING_LINK = "onboarding_link"
    CUSTOMER = "customer"
    PAYMENT = "payment"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"
    DESTINATION = "destination"  # and identities; each writes to its owner


_LIMITS: Final = {
    Purpose.SETUP: "CARD_CALLS_PER_USER",
    Purpose.CARD: "CARD_CALLS_PER_USER",
    Purpose.DEFAULT_CARD: "CARD_CALLS_PER_USER",
    Purpose.ACCOUNT: "CARD_CALLS_PER_USER",
    Purpose.ACCOUNT_READ: "CARD_CALLS_PER_USER",
    Purpose.ONBOARDING_LINK: "CARD_CALLS_PER_USER",
    Purpose.CUSTOMER: "CARD_CALLS_PER_USER",
    Purpose.PAYMENT: "PAYMENT_CALLS_PER_USER",
    Purpose.REFUND: "PAYMENT_CALLS_PER_USER",
    Purpose.WITHDRAWAL: "PAYMENT_CALLS_PER_USER",
    Purpose.DESTINATION: "CARD_CALLS_PER_USER",
}


@database.transactional
def count(*, user_id: int, purpose: Purpose, key: str, now: datetime) -> None:
    """Count the call that creates the object `key` of a user, once per key. Raises TooManyRequests.

    The count is rolled back with the command's transaction, so a command that fails for another reason is not counted.
    """
    limit: int = getattr(settings, _LIMITS[purpose])
    if not limit:
        return
    values = {
        "lock": _LOCK,
        "user": user_id,
        "purpose": purpose.value,
        "key": key[:255],
        "now": now,
        "since": now - WINDOW,
        "until": now + AHEAD,
        "most": limit,
    }
    ((earlier,),) = _COUNT.rows(values)
    if earlier is not None:
        wait = min(earlier + WINDOW - now, WINDOW)
        raise TooManyRequests(retry_after=max(1, min(int(wait.total_seconds()) + 1, int(WINDOW.total_seconds()))))


def purge(*, now: datetime) -> int:
    """Delete calls that are older than a day; return how many."""
    return purging.delete(ProviderCall.objects.filter(made_at__lt=now - KEEP))
