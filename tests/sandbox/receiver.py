"""A webhook endpoint for tests: keeps what comes, and can fail on demand."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEADLINE_SECONDS = 60.0


class Receiver:
    """An HTTP server in a thread. `answers`: the statuses of the next requests; then always 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.paths.append(self.path)
                    receiver.received.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events that came, in order, all or those of a type."""
        events = [json.loads(body) for _, body in self.received]
        return [event for event in events if kind in (None, event.get("type"))]

    def payouts(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many bodies without a type have come, as Paymob sends payouts."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(found := [event for event in self.events() if "type" not in event]) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} came: {self.events()}"
            time.sleep(0.01)
        return found

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many events of a type have come."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(found := self.events(kind)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} {kind} came: {self.events()}"
            time.sleep(0.01)
        return found
