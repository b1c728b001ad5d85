"""Processor time of the database's processes for our connections, as far as the system reports it."""

import os
from pathlib import Path

_ended = 0.0
_open: set[int] = set()


def began(process: int) -> None:
    """A process of the server serves us from now on."""
    _open.add(process)


def ended(process: int) -> None:
    """A process of the server is about to end."""
    global _ended
    if process in _open:
        _open.discard(process)
        _ended += _seconds(process)


def database_seconds() -> float:
    """Return what all of them have used so far; 0 where the system does not tell."""
    return _ended + sum(map(_seconds, _open))


def _seconds(process: int) -> float:
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
