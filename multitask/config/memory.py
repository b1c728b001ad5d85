"""How the process gives memory back, and what it keeps."""

import ctypes
import gc
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


def collect_nothing_yet() -> None:
    """Let Python not look for garbage while it loads what the process keeps for good: `keep_what_is_loaded` ends that.

    The search is two fifths of a program's start.
    """
    gc.disable()


def keep_what_is_loaded() -> None:
    """Look for garbage from now on, but never in what is there already."""
    gc.freeze()
    gc.enable()
