"""Counts and times requests for Prometheus, and serves the metrics to authorised readers."""

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

from multitask.web.api import error_statuses

LOOPBACK = frozenset({"127.0.0.1", "::1"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("multitask_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("multitask_http_request_seconds", "Time to answer.", ["method", "route"])

RUNNING = Gauge("multitask_web_requests_running", "Requests that have a thread.", ["lane"])
WAITING = Gauge("multitask_web_requests_waiting", "Whole requests that wait for a thread.", ["lane"])
REFUSED = Counter("multitask_web_requests_refused_total", "Requests answered without a thread.", ["lane", "reason"])
UNFINISHED = Gauge("multitask_web_bodies_unfinished", "Requests whose body is not there whole.")
FILE_BYTES = Gauge("multitask_web_response_file_bytes", "What large responses hold in files until they are sent.")
BODY_BYTES = Gauge("multitask_web_body_bytes", "What the larger bodies of present requests hold in memory.")


def observe(request: HttpRequest, status: int, *, seconds: float) -> None:
    """Count one answered request under the pattern of its address, so that ids make no new series."""
    match = request.resolver_match
    route = match.route if match is not None else "unmatched"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)


def view(request: HttpRequest) -> HttpResponse:
    """Return the metrics to a caller with METRICS_TOKEN, or, if that is not set, to this machine alone."""
    if not _may_see(request):
        return error_statuses.response(error_statuses.by_status(403))
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_see(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    if token:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode("utf-8", "replace"), f"Bearer {token}".encode())
    # A proxy on this machine that the settings do not know of would make everybody look local.
    is_forwarded = "X-Forwarded-For" in request.headers and not settings.TRUSTED_PROXIES
    return getattr(request, "client_ip", None) in LOOPBACK and not is_forwarded
