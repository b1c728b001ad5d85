"""The middleware of pages, which requests with an access token to the API skip: they need no session, language or CSRF.

A request that the API answers by the session of a page takes the whole way, since its user comes from there.
"""

from collections.abc import Callable
from typing import Any, Final

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from multitask.web.api.middleware import JSON_PREFIXES

Handler = Callable[[HttpRequest], HttpResponseBase]

_SCHEME: Final = "bearer "
# What a middleware may have besides `process_view`; none of ours does, so this chain does not call it.
_UNSUPPORTED: Final = ("process_exception", "process_template_response")


class PageMiddleware:
    """Runs `PAGE_MIDDLEWARE` around a request, unless it is one to the API that carries an access token."""

    def __init__(self, get_response: Handler) -> None:
        """Build the chain, the first of `PAGE_MIDDLEWARE` outermost. Raises ImproperlyConfigured."""
        self._direct = get_response
        self._view_hooks: list[Callable[..., HttpResponseBase | None]] = []
        handler: Any = get_response
        for path in reversed(settings.PAGE_MIDDLEWARE):
            made = import_string(path)(handler)
            if any(hasattr(made, hook) for hook in _UNSUPPORTED):
                raise ImproperlyConfigured(f"{path} has a hook that PageMiddleware does not call")
            if hasattr(made, "process_view"):
                self._view_hooks.insert(0, made.process_view)
            handler = convert_exception_to_response(made)
        self._pages: Handler = handler
        # The same for all answers of the API, which use no nonce.
        self._headers = {"X-Frame-Options": settings.X_FRAME_OPTIONS, HEADER: build_policy()}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request on its way."""
        if not has_access_token(request):
            return self._pages(request)
        request.skips_page_middleware = True  # type: ignore[attr-defined]
        request.get_host()  # Raises DisallowedHost.
        # Both stay as the thread's last request set them.
        timezone.deactivate()
        translation.activate(settings.LANGUAGE_CODE)
        response = self._direct(request)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Call the hooks of the chain, outermost first, until one answers."""
        if hasattr(request, "skips_page_middleware"):
            return None
        for hook in self._view_hooks:
            response = hook(request, view, args, kwargs)
            if response is not None:
                return response
        return None


def has_access_token(request: HttpRequest) -> bool:
    """Return whether the API authenticates the request by its Authorization header, whatever cookies it has.

    An address without its slash takes the whole way: that answers with a redirect.
    """
    path = request.path_info
    if not path.startswith(JSON_PREFIXES) or not path.endswith("/"):
        return False
    sent: str = request.META.get("HTTP_AUTHORIZATION", "")
    return sent[: len(_SCHEME)].lower() == _SCHEME
