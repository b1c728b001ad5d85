"""CORS: which front ends on other origins may call the API from a browser; by default none."""

from typing import Any, Final

from multitask.config.environment import Environment

MIDDLEWARE: Final = "corsheaders.middleware.CorsMiddleware"
# It must handle every response of the API, so it comes before the first middleware that may refuse a request.
BEFORE: Final = "multitask.web.api.middleware.RequestContextMiddleware"


def cors_settings(environment: Environment, middleware: list[str]) -> dict[str, Any]:
    """Return `MIDDLEWARE` and `CORS_*` for Django; an empty dict if no origin is configured.

    Callers authenticate with a bearer token. Credentials (cookies) are never allowed, so the session of the pages works
    only on our own origin. Webhooks are excluded: providers send them from servers, which need no CORS.
    """
    if not environment.cors_allowed_origins:
        return {}
    place = middleware.index(BEFORE)
    return {
        "MIDDLEWARE": [*middleware[:place], MIDDLEWARE, *middleware[place:]],
        "CORS_ALLOWED_ORIGINS": environment.cors_allowed_origins,
        "CORS_URLS_REGEX": r"^/(?:api/)?payments/(?!webhooks/)|^/api/(?!payments/webhooks/)",
        "CORS_ALLOW_CREDENTIALS": False,
        "CORS_ALLOW_METHODS": ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"],
        "CORS_ALLOW_HEADERS": ["authorization", "content-type", "idempotency-key", "x-request-id"],
        "CORS_EXPOSE_HEADERS": ["Retry-After", "X-Request-ID", "Idempotent-Replayed"],
        "CORS_PREFLIGHT_MAX_AGE": 3_600,
    }
