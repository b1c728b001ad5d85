"""A clock that no change of the wall clock moves: seconds since this machine started, time spent suspended included.

Only moments of one process are compared, so it does not matter that each machine counts from its own start.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Source = Callable[[], float]


def _since_boot() -> float:
    """Return seconds since the machine started; other systems than Linux have the monotonic clock instead."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


_source: Source = _since_boot


def seconds() -> float:
    """Return the present moment; only differences within one process mean anything."""
    return _source()


@contextmanager
def using(source: Source) -> Iterator[None]:
    """Read another clock inside the block, as a simulation with virtual time does."""
    global _source
    earlier, _source = _source, source
    try:
        yield
    finally:
        _source = earlier
