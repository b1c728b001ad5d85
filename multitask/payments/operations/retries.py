"""When a call at a provider that decided nothing is tried again: with exponential backoff."""

from datetime import timedelta
from typing import Final

from multitask.payments.models import Operation
from multitask.payments.provider import ProviderError, Unavailable

FIRST_DELAY: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(minutes=15)


def delay(operation: Operation, error: ProviderError) -> timedelta:
    """Return how long to wait before the next attempt; longer if the provider asks for it."""
    backoff: timedelta = min(FIRST_DELAY * 2 ** min(operation.attempts - 1, 12), LONGEST_DELAY)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        return max(backoff, error.retry_after)
    return backoff
