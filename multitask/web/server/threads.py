"""The fixed worker threads, and the one hop of a request from the event loop to a thread and back."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

import structlog

from multitask.web.api import errors
from multitask.web.server import responses
from multitask.web.server.responses import Response
from multitask.web.server.room import NoRoom, Share

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Done = Callable[[Response | NoRoom], None]

log = structlog.get_logger(__name__)


class Threads:
    """So many threads, each of which runs one request of a WSGI application at a time, from beginning to end."""

    def __init__(self, application: WsgiApplication, number: int) -> None:
        """Start them. They end with the process, which waits for requests that are under way."""
        self._application = application
        self._orders: SimpleQueue[tuple[dict[str, Any], Share, asyncio.AbstractEventLoop, Done]] = SimpleQueue()
        for count in range(number):
            threading.Thread(target=self._work, name=f"request-{count + 1}", daemon=True).start()

    def run(self, environ: dict[str, Any], share: Share, done: Done) -> None:
        """Run a request in a free thread; call `done` with the whole response in the running event loop.

        `share` is for the file of a large response; where it has no room, `done` gets that.
        """
        self._orders.put((environ, share, asyncio.get_running_loop(), done))

    def _work(self) -> None:
        while True:
            environ, share, loop, done = self._orders.get()
            response: Response | NoRoom
            try:
                response = respond(self._application, environ, share)
            except NoRoom as refusal:
                response = refusal
            try:
                loop.call_soon_threadsafe(done, response)
            except RuntimeError:  # The loop has been closed: the server is stopping, and nobody waits.
                if isinstance(response, Response):
                    response.close()
            # The next request may be long in coming; nothing of this one stays until then.
            del environ, share, loop, done, response


def respond(application: WsgiApplication, environ: dict[str, Any], share: Share) -> Response:
    """Return the whole response of a WSGI application; what breaks while it is written is an error's response.

    Raises NoRoom when the file of a large response has no room.
    """
    begun: tuple[str, list[tuple[str, str]]] = ("500 Internal Server Error", [])

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        nonlocal begun
        begun = (status, headers)

    try:
        body = application(environ, start)
        try:
            return responses.collect(*begun, body, share)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    except NoRoom:
        raise
    except Exception as error:
        log.exception("response_broke_off", path=environ["PATH_INFO"])
        return responses.of_answer(errors.answer(error))
