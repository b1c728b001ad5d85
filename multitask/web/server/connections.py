"""Lets the operating system end connections whose other end reads nothing.

The HTTP server takes a small response at once, so the application never sees that nobody reads it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

# Linux lists here what a process has open. Elsewhere the option that is set does not exist either.
_OPEN: Final = Path("/proc/self/fd")
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def end_unread(seconds: float) -> int:
    """Bound how long a connection may take nothing of what was written; return to how many sockets it applies.

    It applies to the listening sockets, from which connections inherit it, and to those accepted already. Such a
    connection is closed when what was written stays unacknowledged, or the other end's window stays shut, so long.
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
    """The TCP sockets of this process, each as a copy to be closed."""
    for name in os.listdir(_OPEN):
        try:
            copy = os.dup(int(name))
        except OSError:  # It has been closed, like the listing itself.
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:  # It is no socket.
            os.close(copy)
            continue
        if found.family in _FAMILIES and found.type == socket.SOCK_STREAM:
            yield found
        else:
            found.close()


def _listens(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
