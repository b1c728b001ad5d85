"""CORS headers for error responses that are created outside of Django's middleware."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from multitask.web.server.environ import Headers

_MIDDLEWARE = "corsheaders.middleware.CorsMiddleware"


def headers_for(path: str, headers: Headers) -> dict[str, str]:
    """Return the headers that the CORS middleware would add; none if no origin is allowed."""
    if _MIDDLEWARE not in settings.MIDDLEWARE or "origin" not in headers:
        return {}
    # Imported here, since the library reads Django's settings at import.
    from corsheaders.middleware import CorsMiddleware

    request = HttpRequest()
    request.path = request.path_info = path
    request.META["HTTP_ORIGIN"] = headers["origin"]
    request.META["HTTP_HOST"] = headers.get("host", "")
    response = HttpResponse()
    CorsMiddleware(lambda _: response)(request)
    return {name.replace("-", "_"): value for name, value in response.headers.items() if name != "Content-Type"}
