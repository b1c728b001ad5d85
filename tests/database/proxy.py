"""A TCP proxy in front of PostgreSQL that cuts the connection at one COMMIT."""

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

Cut = Literal["nothing", "commit", "answer"]


class Proxy:
    """Forward everything, unless `cut` is set.

    "commit": the next COMMIT never reaches the server. "answer": it does, and its answer never reaches the client.
    """

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.cut: Cut = "nothing"
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.listener, *self.open):
            _close(end)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                self.open += [client, server]
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Forward the requests; another thread forwards the responses."""
        swallow = threading.Event()
        threading.Thread(target=self._answer, args=(server, client, swallow), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self.cut != "nothing":
                    cut, self.cut = self.cut, "nothing"
                    self.cuts += 1
                    if cut == "commit":
                        break
                    swallow.set()
                server.sendall(data)
        _close(client)
        _close(server)

    def _answer(self, server: socket.socket, client: socket.socket, swallow: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and not swallow.is_set():
                client.sendall(data)
        _close(client)
        _close(server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
