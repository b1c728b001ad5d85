"""The worker threads, which take requests from the event loop and return responses to it."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

import structlog

from multitask.web.api import error_statuses
from multitask.web.server import responses
from multitask.web.server.memory_budget import BufferFull, Share
from multitask.web.server.responses import Response

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Done = Callable[[Response | BufferFull], None]

log = structlog.get_logger(__name__)


class Threads:
    """A fixed number of threads, each of which runs one request of a WSGI application at a time."""

    def __init__(self, application: WsgiApplication, number: int) -> None:
        """Start the threads. They end with the process, which waits for running requests."""
        self._application = application
        self._orders: SimpleQueue[tuple[dict[str, Any], Share, asyncio.AbstractEventLoop, Done]] = SimpleQueue()
        for count in range(number):
            threading.Thread(target=self._work, name=f"request-{count + 1}", daemon=True).start()

    def run(self, environ: dict[str, Any], share: Share, done: Done) -> None:
        """Run a request in a free thread; `done` is called in the running event loop with the complete response.

        `share` is for the file of a large response; if the budget is used up, `done` is called with BufferFull.
        """
        self._orders.put((environ, share, asyncio.get_running_loop(), done))

    def _work(self) -> None:
        while True:
            environ, share, loop, done = self._orders.get()
            response: Response | BufferFull
            try:
                response = respond(self._application, environ, share)
            except BufferFull as refusal:
                response = refusal
            try:
                loop.call_soon_threadsafe(done, response)
            except RuntimeError:  # The loop is closed: the server is stopping, and the caller no longer waits.
                if isinstance(response, Response):
                    response.close()
            # Free the memory of this request now: the next one may come much later.
            del environ, share, loop, done, response


def respond(application: WsgiApplication, environ: dict[str, Any], share: Share) -> Response:
    """Return the complete response of a WSGI application; an exception is logged and becomes an error response.

    Raises BufferFull if the budget for files is used up.
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
    except BufferFull:
        raise
    except Exception as error:
        log.exception("response_broke_off", path=environ["PATH_INFO"])
        return responses.of_answer(error_statuses.answer(error))
