"""Converts the scope of an ASGI request to the environment that Django's WSGI handler reads."""

import re
import sys
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from multitask.web.server.bodies import Body

Headers = dict[str, str]

_UNPREFIXED: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
# Quoted or not; Django checks the characters and the length of a boundary again.
_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*("[ -!#-\[\]-~]*"|[!#-:<-\[\]-~]+)', re.IGNORECASE)


def headers_of(scope: dict[str, Any]) -> Headers:
    """Return the headers by lower-case name, without those whose name contains an underscore.

    In a WSGI environment `X_Forwarded_For` could not be distinguished from `X-Forwarded-For`, which proxies set.
    Repeated headers are joined in the order in which they were sent.
    """
    found: Headers = {}
    raw: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        if "_" in name:
            continue
        if name in found:
            value = f"{found[name]}{'; ' if name == 'cookie' else ','}{value}"
        found[name] = value
    if "transfer-encoding" in found:
        # Transfer-Encoding overrides Content-Length; a body without a declared length is refused.
        found.pop("content-length", None)
    return found


def peer_of(scope: dict[str, Any]) -> str:
    """Return the address of the peer; empty on a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def build(scope: dict[str, Any], headers: Headers, body: Body) -> dict[str, Any]:
    """Return the WSGI environment of a request whose body has been read."""
    server = scope.get("server") or ("", None)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": peer_of(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body.file(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ[_UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"] = value
    if "CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = _content_type(environ["CONTENT_TYPE"])
    return environ


def _content_type(sent: str) -> str:
    """Return the media type, with the boundary of a multipart body as its only parameter.

    Django would decode the query and the body with any codec that `charset` names, and fails on those that decode no
    text. We read UTF-8 alone, so no other parameter has a meaning here.
    """
    media_type = sent.partition(";")[0].strip().lower()
    boundary = _BOUNDARY.search(sent) if media_type.startswith("multipart/") else None
    return media_type if boundary is None else f"{media_type}; boundary={boundary[1]}"


def _path(scope: dict[str, Any]) -> str:
    """Return the decoded path with one character per byte, as WSGI requires."""
    raw = scope.get("raw_path")
    decoded = unquote_to_bytes(raw) if raw else str(scope["path"]).encode("utf-8", "surrogateescape")
    return decoded.decode("latin-1")
