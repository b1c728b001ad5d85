"""When a call at a provider that decided nothing is tried again: with exponential backoff."""

from datetime import timedelta
from typing import Final

from multitask.payments.models import Operation
from multitask.payments.provider import ProviderError, Unavailable

FIRST_DELAY: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(minutes=15)
# What a day of attempts has not changed, such as money that has left the payee's account, is tried less often.
MANY_ATTEMPTS: Final = 100
LATER_DELAY: Final = timedelta(hours=1)


def delay(operation: Operation, error: ProviderError) -> timedelta:
    """Return how long to wait before the next attempt; longer if the provider asks for it."""
    longest = LONGEST_DELAY if operation.attempts < MANY_ATTEMPTS else LATER_DELAY
    backoff: timedelta = min(FIRST_DELAY * 2 ** min(operation.attempts - 1, 12), longest)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        return max(backoff, error.retry_after)
    return backoff
