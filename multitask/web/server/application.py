"""The ASGI application: handles a request from its first byte to the last byte of its response."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from django.http import HttpRequest
from django.http.cookie import parse_cookie
from django.utils.translation import get_language_from_request

from multitask.web import body_limits
from multitask.web.api import error_statuses, metrics
from multitask.web.api.error_statuses import Answer
from multitask.web.api.middleware import JSON_PREFIXES, client_address, request_id
from multitask.web.pages.base.error_pages import POLICY, busy
from multitask.web.server import connections, environ, lane_rules, origins, responses
from multitask.web.server.bodies import BodyTooSlow, Disconnected, Reader, Receive
from multitask.web.server.callers import Limits, TooManyRequests, caller_of, network_of
from multitask.web.server.environ import Headers
from multitask.web.server.lanes import Busy, Lanes, Name, Ticket, bounds
from multitask.web.server.memory_budget import BufferBudget, BufferFull, Share
from multitask.web.server.responses import Response, Send
from multitask.web.server.settings import Settings
from multitask.web.server.threads import Threads, WsgiApplication

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS: Final = 5
_UNLIMITED: Final = frozenset({Name.WEBHOOKS, Name.SYSTEM})


class Server:
    """Serves a WSGI application so that only complete requests use threads, and no caller can use all threads."""

    def __init__(self, application: WsgiApplication, settings: Settings) -> None:
        """Start the threads."""
        self._settings = settings
        # One more than configured, for monitoring.
        number = settings.threads + 1
        self._threads = Threads(application, number)
        self.lanes = Lanes(bounds(threads=settings.threads, seconds=settings.wait_seconds), threads=number)
        self.bodies = Reader(
            largest=settings.largest_body, seconds=settings.body_seconds, total_bytes=settings.bodies_bytes
        )
        self.files = BufferBudget(settings.files_bytes)
        self._limits = Limits(settings.requests_per_minute, time.monotonic)
        self._has_bounded_connections = False
        self._show()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        if not self._has_bounded_connections:
            # The server opens its sockets after it has loaded this module, and writes nothing before the first request.
            self._has_bounded_connections = True
            connections.end_unread(self._settings.send_seconds)
        headers = environ.headers_of(scope)
        without_body = scope["method"] == "HEAD"
        if scope["path"] == lane_rules.HEALTH and scope["method"] in {"GET", "HEAD"}:
            response = _healthy(scope["method"], headers)
        else:
            response = await self._respond(scope, headers, receive)
        try:
            await response.send(send, without_body=without_body, seconds=self._settings.send_seconds)
        except TimeoutError:
            metrics.REFUSED.labels(lane_rules.lane_of(scope["path"]), "reader_too_slow").inc()
        finally:
            response.close()

    def _show(self) -> None:
        """Register the gauges that read the state of lanes, bodies and files."""
        for name in Name:
            metrics.RUNNING.labels(name).set_function(partial(self.lanes.running, name))
            metrics.WAITING.labels(name).set_function(partial(self.lanes.waiting, name))
        metrics.UNFINISHED.set_function(lambda: self.bodies.unfinished)
        metrics.BODY_BYTES.set_function(lambda: self.bodies.budget.taken)
        metrics.FILE_BYTES.set_function(lambda: self.files.taken)

    async def _respond(self, scope: dict[str, Any], headers: Headers, receive: Receive) -> Response:
        """Read the body, wait for a thread, and return the response, or an error response if the request is refused."""
        path = scope["path"]
        lane = lane_rules.lane_of(path)
        peer = environ.peer_of(scope)
        network = network_of(client_address(peer, headers.get("x-forwarded-for", "")) or peer)
        try:
            caller = caller_of(
                headers,
                network,
                session_cookie=self._settings.session_cookie,
                needs_no_sign_in=lane_rules.needs_no_sign_in(path),
            )
            if lane not in _UNLIMITED:
                self._limits.count(caller.group)
            body = await self.bodies.read(headers, receive, network, largest=body_limits.of_upload(path))
            try:
                ticket = await self.lanes.enter(lane, caller)
                return await self._run(lambda: environ.build(scope, headers, body), network, ticket)
            finally:
                self.bodies.let_go(body, network)
        except (TooManyRequests, BodyTooSlow, Disconnected, BufferFull, Busy) as refusal:
            return _refuse(path, refusal, lane, headers)
        except Exception as error:
            log.exception("request_broke_off", path=path)
            return responses.of_answer(error_statuses.answer(error))

    async def _run(self, make: Callable[[], dict[str, Any]], network: str, ticket: Ticket) -> Response:
        """Build the environment with `make` and run the request in a thread. Raises BufferFull.

        The ticket is returned when the thread is free, even if the caller has disconnected, or at once on an error.
        """
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def done(response: Response | BufferFull) -> None:
            self.lanes.leave(ticket)
            if isinstance(response, BufferFull):
                if not answered.done():
                    answered.set_exception(response)
            elif answered.done():
                response.close()
            else:
                answered.set_result(response)

        try:
            self._threads.run(make(), Share(self.files, network), done)
        except BaseException:
            self.lanes.leave(ticket)
            raise
        return await answered


def _healthy(method: str, headers: Headers) -> Response:
    """Return the response of /healthz, which only shows that the event loop is running."""
    metrics.REQUESTS.labels(method, lane_rules.HEALTH.lstrip("/"), "200").inc()
    content = b'{"status": "ok"}'
    raw = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-request-id", request_id(headers.get("x-request-id", "")).encode()),
    ]
    return Response(200, raw, content)


def _refuse(
    path: str, refusal: TooManyRequests | BodyTooSlow | Disconnected | BufferFull | Busy, lane: Name, headers: Headers
) -> Response:
    """Return the error response for a request that was refused before it reached a thread."""
    own_id = request_id(headers.get("x-request-id", ""))
    if isinstance(refusal, TooManyRequests):
        reason, answer = "too_many_requests", error_statuses.too_many_requests(refusal.retry_after)
    elif isinstance(refusal, BodyTooSlow):
        reason, answer = "body_too_slow", error_statuses.by_status(408)
    elif isinstance(refusal, Disconnected):
        reason, answer = "body_broke_off", error_statuses.by_status(400)
    elif isinstance(refusal, BufferFull):
        reason, answer = "no_room", error_statuses.by_status(503)
    else:
        reason, answer = refusal.reason.value, error_statuses.by_status(503)
    metrics.REFUSED.labels(lane, reason).inc()
    # Refusals are counted in metrics but not logged, so that a flood of requests cannot fill the disk.
    extra = {"X_Request_ID": own_id}
    if answer.status == 503:
        extra["Retry_After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(refusal, BodyTooSlow | Disconnected | BufferFull):
        # The rest of the body is not read, so the connection cannot be reused.
        extra["Connection"] = "close"
    if "text/html" in headers.get("accept", "") and not path.startswith(JSON_PREFIXES):
        return _busy_page(answer, headers, extra)
    return responses.of_answer(answer, **extra, **origins.headers_for(path, headers))


def _busy_page(answer: Answer, headers: Headers, extra: dict[str, str]) -> Response:
    """Return the error page for a browser, in the user's language."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get("accept-language", "")
    request.COOKIES = parse_cookie(headers.get("cookie", ""))
    extra = {**answer.headers, "Content_Type": "text/html; charset=utf-8", "Content_Security_Policy": POLICY, **extra}
    return responses.of_content(busy(get_language_from_request(request), answer.status), answer.status, extra)
