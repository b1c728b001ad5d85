"""A clock independent of the wall clock: seconds since this machine started, including time spent suspended.

Only moments of one process are compared, so it does not matter that each machine counts from its own start.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Source = Callable[[], float]


def _since_boot() -> float:
    """Return seconds since the machine started; on other systems than Linux, the monotonic clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


_source: Source = _since_boot


def seconds() -> float:
    """Return the present moment; only differences within one process mean anything."""
    return _source()


@contextmanager
def using(source: Source) -> Iterator[None]:
    """Use another clock inside the block, as a simulation with virtual time does."""
    global _source
    earlier, _source = _source, source
    try:
        yield
    finally:
        _source = earlier
