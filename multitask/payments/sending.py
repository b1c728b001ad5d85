"""Until when a call to a provider may be sent, checked by the HTTP client just before the bytes leave.

A process can be paused, or a machine suspended, at any point between the decision to call and the call itself.
By then another worker may have taken the operation over, and the provider may have forgotten the idempotency
key that makes two calls one. So a call that is late is not sent.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from multitask.payments import steady


class TooLate(Exception):
    """The call was not sent: too much time has passed since it was decided."""


@dataclass(frozen=True, slots=True)
class _Limit:
    steady_began: float
    wall_began: float
    seconds: float

    @property
    def has_passed(self) -> bool:
        """Whether either clock has passed the limit.

        The steady clock stands still while a virtual machine is paused, the wall clock can be set: a limit that
        either of them has passed may have passed.
        """
        ages = steady.seconds() - self.steady_began, time.time() - self.wall_began
        return max(ages) >= self.seconds


_limit: ContextVar[_Limit | None] = ContextVar("sending_limit", default=None)


@contextmanager
def within(limit: timedelta) -> Iterator[None]:
    """Let calls inside the block be sent only for this long from now."""
    token = _limit.set(_Limit(steady.seconds(), time.time(), limit.total_seconds()))
    try:
        yield
    finally:
        _limit.reset(token)


def check() -> None:
    """Refuse to send when the limit has passed. Raises TooLate."""
    limit = _limit.get()
    if limit is not None and limit.has_passed:
        raise TooLate
