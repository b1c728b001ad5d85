"""Lets the operating system end connections whose other end reads nothing.

The HTTP server takes a small response at once, so the application never sees that nobody reads it.
"""

import os
import socket
from pathlib import Path
from typing import Final

# Linux lists here what a process has open. Elsewhere the option that is set does not exist either.
_OPEN: Final = Path("/proc/self/fd")


def end_unread(seconds: float) -> int:
    """Bound how long a connection may take nothing, for all that are accepted from now on; return on how many sockets.

    Connections inherit the option from the listening socket. They are closed when what was written stays
    unacknowledged, or the other end's window stays shut, for so long.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not _OPEN.is_dir():
        return 0
    return sum(_bound(int(name), round(seconds * 1_000)) for name in os.listdir(_OPEN))


def _bound(number: int, milliseconds: int) -> bool:
    """Set the option on a file that is a listening TCP socket; return whether it is."""
    try:
        copy = os.dup(number)
    except OSError:  # The listing itself was open, and is closed now.
        return False
    try:
        found = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return False
    with found:
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if not listens or found.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return True
