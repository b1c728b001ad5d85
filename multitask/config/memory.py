"""How the process gives memory back, and what it keeps."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of mallopt(3)
_LARGE_BYTES: Final = 1 << 20


def return_large_blocks() -> None:
    """Let glibc return every large block as soon as it is free.

    By default it learns from the first such block to keep the next ones, up to 32 MiB, for each thread by
    itself: after a few logins, whose hashing takes 19 MiB for a moment, a server of eight threads held 150 MB
    for nothing. Other C libraries have no such setting and need none.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Load what the process keeps for good: Python does not look through it for garbage, now or later.

    That is a fifth of a program's start, and of every later full collection what the code itself takes.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
