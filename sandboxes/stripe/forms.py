"""Form decoding: `a[b][0]=c` into nested dicts. Only the parameter knows whether it is a list: `metadata[0]` is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from sandboxes.kit import uploads
from sandboxes.kit.errors import ApiError

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
MAX_DEPTH = 10
MAX_FIELDS = 5000


def decode(text: str) -> dict[str, Any]:
    """Decode a query or a form body. Raises 400 for names that cannot be read."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise _unreadable("The request could not be parsed as a form.") from error
    return nest(pairs)


def decode_multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """Decode a multipart body, whose files become `uploads.Upload`. Raises 400."""
    try:
        return nest(uploads.parts(body, content_type))
    except ValueError as error:
        raise _unreadable(f"The request could not be parsed as multipart/form-data: {error}.") from error


def nest(pairs: Iterable[tuple[str, str | uploads.Upload]]) -> dict[str, Any]:
    """Nest bracketed names."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        match = _NAME.match(name)
        if match is None or (isinstance(value, str) and "\x00" in value):
            raise _unreadable(f"Invalid parameter name or value: {name!r}.")
        path = [match[1], *_PART.findall(match[2])]
        if len(path) > MAX_DEPTH:
            raise _unreadable("The parameters are nested too deeply.")
        _put(tree, path, value)
    return tree


def _put(tree: dict[str, Any], path: list[str], value: str | uploads.Upload) -> None:
    for part in path[:-1]:
        key = str(len(tree)) if part == "" else part
        # `a[][b]=1&a[][c]=2` describes one element until a name repeats; the SDK always sends indexes.
        child = tree.setdefault(key, {})
        if not isinstance(child, dict):
            raise _unreadable(f"The parameter {path[0]} is given both as a value and as an object.")
        tree = child
    key = str(len(tree)) if path[-1] == "" else path[-1]
    if isinstance(tree.get(key), dict):
        raise _unreadable(f"The parameter {path[0]} is given both as a value and as an object.")
    tree[key] = value


def _unreadable(message: str) -> ApiError:
    return ApiError(400, message, saved=False)
