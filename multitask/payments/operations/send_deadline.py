"""The deadline for sending a call to a provider, checked by the HTTP client just before the bytes leave.

A process can be paused, or a machine suspended, at any point between the decision to call and the call itself.
By then another worker may have taken the operation over, and the provider may have forgotten the idempotency
key that makes two calls one. So a call that is late is not sent. What counts is the time since the moment before
the decision was committed: a pause may also come while the commit is under way.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from multitask.payments.operations import boot_clock


class TooLate(Exception):
    """The call was not sent: too much time has passed since it was decided."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on the boot clock and the wall clock, in seconds."""

    steady: float
    wall: float

    @property
    def age(self) -> timedelta:
        """The elapsed time: the larger of what the boot clock and the wall clock show.

        The boot clock stops while a virtual machine is paused, and the wall clock can be set.
        """
        return timedelta(seconds=max(boot_clock.seconds() - self.steady, time.time() - self.wall))


_limit: ContextVar[tuple[Moment, timedelta] | None] = ContextVar("sending_limit", default=None)
_progress: ContextVar[Callable[[], None] | None] = ContextVar("search_progress", default=None)


def moment() -> Moment:
    """Return the present moment."""
    return Moment(boot_clock.seconds(), time.time())


@contextmanager
def within(limit: timedelta, *, since: Moment) -> Iterator[None]:
    """Within the block, refuse to send calls once `limit` has passed since `since`."""
    token = _limit.set((since, limit))
    try:
        yield
    finally:
        _limit.reset(token)


def check() -> None:
    """Refuse to send when the limit has passed. Raises TooLate."""
    found = _limit.get()
    if found is not None and found[0].age >= found[1]:
        raise TooLate


@contextmanager
def reporting(progress: Callable[[], None]) -> Iterator[None]:
    """Have a search inside the block, which may read many pages, call `progress` after each of them."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def searched_a_page() -> None:
    """Report that a search has read another page."""
    progress = _progress.get()
    if progress is not None:
        progress()
