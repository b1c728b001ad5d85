"""How the process gives memory back."""

import ctypes
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
