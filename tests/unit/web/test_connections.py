"""The socket option that limits the time of every write."""

import socket
from contextlib import closing

import pytest

from multitask.web.server import connections

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the operating system cannot do it")


def milliseconds(of: socket.socket) -> int:
    return of.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def test_connections_before_and_after_are_bounded_and_those_to_others_are_not() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as other_end, closing(listener.accept()[0]) as early:
            assert connections.end_unread(7) >= 2
            with socket.create_connection(address), closing(listener.accept()[0]) as late:
                assert [milliseconds(each) for each in (listener, early, late)] == [7_000] * 3
            assert milliseconds(other_end) == 0
