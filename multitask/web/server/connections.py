"""Makes the operating system close connections whose peer does not read.

The HTTP server buffers a small response at once, so the application does not notice if the peer never reads it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

# Linux lists the open files of a process here. Other systems do not have TCP_USER_TIMEOUT either.
_OPEN: Final = Path("/proc/self/fd")
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def end_unread(seconds: float) -> int:
    """Set TCP_USER_TIMEOUT on all sockets of the server; return on how many.

    Connections inherit it from the listening sockets; those accepted already are set too. A connection is closed
    after `seconds` in which sent data stays unacknowledged or the peer's receive window stays closed.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not _OPEN.is_dir():
        return 0
    with ExitStack() as stack:
        found = [stack.enter_context(each) for each in _sockets()]
        ports = {each.getsockname()[1] for each in found if _listens(each)}
        ours = [each for each in found if each.getsockname()[1] in ports]
        for each in ours:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1_000))
        return len(ours)


def _sockets() -> Iterator[socket.socket]:
    """Yield the TCP sockets of this process as duplicates, which the caller closes."""
    for name in os.listdir(_OPEN):
        try:
            copy = os.dup(int(name))
        except OSError:  # Closed meanwhile, like the directory listing itself.
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:  # Not a socket.
            os.close(copy)
            continue
        if found.family in _FAMILIES and found.type == socket.SOCK_STREAM:
            yield found
        else:
            found.close()


def _listens(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
