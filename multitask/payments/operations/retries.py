"""When a call at a provider that decided nothing is tried again: with exponential backoff."""

from datetime import datetime, timedelta
from typing import Final

from multitask.payments.models import Operation
from multitask.payments.provider import RATE_LIMITED, ProviderError, Unavailable
from multitask.payments.states import OperationState

FIRST_DELAY: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(minutes=15)
# What a day of attempts has not changed, such as money that has left the payee's account, is tried less often.
MANY_ATTEMPTS: Final = 100
LATER_DELAY: Final = timedelta(hours=1)
# After a refusal because of too many calls our own backoff delays a person's request by no more than this.
LONGEST_FOR_PERSON: Final = timedelta(minutes=1)


def delay(operation: Operation, error: ProviderError) -> timedelta:
    """Return how long to wait before the next attempt; longer if the provider asks for it."""
    backoff = _backoff(operation)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        return max(backoff, error.retry_after)
    return backoff


def wanted_by_provider(operation: Operation, now: datetime) -> timedelta | None:
    """Return how long not to call, since the provider has just refused a call as one too many; None if one may be made.

    What it asked for is stored only as part of the delay: a delay above our backoff is what it asked for, and otherwise
    it asked for no more than our backoff.
    """
    is_refused = operation.state == OperationState.PENDING.value and operation.last_error_code == RATE_LIMITED
    last, following = operation.sent_at, operation.next_attempt_at
    if not is_refused or last is None or following is None:
        return None
    if following - last <= _backoff(operation):
        following = min(following, last + LONGEST_FOR_PERSON)
    # A refusal in the future was written by a clock that was ahead.
    return following - now if last <= now < following else None


def _backoff(operation: Operation) -> timedelta:
    longest = LONGEST_DELAY if operation.attempts < MANY_ATTEMPTS else LATER_DELAY
    backoff: timedelta = min(FIRST_DELAY * 2 ** min(operation.attempts - 1, 12), longest)
    return backoff
