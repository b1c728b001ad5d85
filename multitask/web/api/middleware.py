"""Middleware: request ids, client addresses, a limit on bodies, and JSON errors."""

import ipaddress
import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from multitask.providers import circuit_breaker
from multitask.web import body_limits
from multitask.web.api import error_statuses, metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Below these paths every answer is JSON.
JSON_PREFIXES = ("/api/", "/payments/")

log = structlog.get_logger(__name__)


class RequestContextMiddleware:
    """Sets `request_id`, `client_ip` and UTF-8 as encoding on each request, and adds the id to its log lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Store the next handler."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request; the response carries its id in X-Request-ID."""
        began = time.perf_counter()
        if request.encoding is not None:
            # A charset that the request names could be any codec; we read UTF-8 alone. Our server drops it before.
            request.encoding = "utf-8"
        request.request_id = own_id = request_id(request.META.get("HTTP_X_REQUEST_ID", ""))  # type: ignore[attr-defined]
        request.client_ip = client_ip(request)  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(request_id=own_id)
        try:
            with circuit_breaker.from_request():
                response = self._respond(request)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        response["X-Request-ID"] = own_id
        metrics.observe(request, response.status_code, seconds=time.perf_counter() - began)
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            # Such a body would be read as empty, which may be a valid request with another meaning.
            return error_statuses.response(error_statuses.by_status(411))
        if _body_length(request) > body_limits.largest(request.path):
            return error_statuses.response(error_statuses.by_status(413))
        if not request.path.startswith(JSON_PREFIXES):
            return self.get_response(request)
        response = self._respond_to_head(request) if request.method == "HEAD" else self._for_programs(request)
        # Tokens, balances and client secrets must not be cached.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _respond_to_head(self, request: HttpRequest) -> HttpResponseBase:
        """Handle HEAD as GET and drop the body; the router knows only declared methods."""
        request.method = "GET"
        try:
            response = self._for_programs(request)
        finally:
            request.method = "HEAD"
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    def _for_programs(self, request: HttpRequest) -> HttpResponseBase:
        return _for_programs(self.get_response(request))


def client_ip(request: HttpRequest) -> str | None:
    """Return the caller's address, or None when it is not one."""
    return client_address(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def client_address(peer: str, forwarded_for: str) -> str | None:
    """Return the client's address behind `peer`, ignoring entries that the client could have written.

    Each proxy appends the address it was called from, so with n proxies of our own the n-th
    entry from the right is the client's, whatever it sent before that.
    """
    proxies: int = settings.TRUSTED_PROXIES
    address = peer
    if proxies:
        chain = [part.strip() for part in forwarded_for.split(",")]
        address = chain[-proxies] if len(chain) >= proxies else address
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def request_id(sent: str) -> str:
    """Return the id that a request was sent with, or a new one."""
    return sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex


def _body_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0


def _for_programs(response: HttpResponseBase) -> HttpResponseBase:
    """Replace error pages of Django or the router by our JSON error body."""
    if response.status_code == 301:
        # To the same address with its slash; this status keeps the method and the body on the way.
        response.status_code = 308
    if response.status_code < 400 or "json" in response.get("Content-Type", ""):
        return response
    replacement = error_statuses.response(error_statuses.by_status(response.status_code))
    if isinstance(response, HttpResponse) and response.has_header("Allow"):
        methods = {method.strip() for method in response["Allow"].split(",")}
        replacement["Allow"] = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    return replacement
