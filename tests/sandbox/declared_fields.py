"""Which fields the SDK's classes declare, and which of them an answer lacks."""

from __future__ import annotations

import json
import typing
from typing import Any

import stripe
from stripe import ListObject, StripeObject

from tests.sandbox.write_shapes import ABSENT

CLASSES: dict[str, type[StripeObject]] = {
    cls.OBJECT_NAME: cls
    for cls in vars(stripe).values()
    if isinstance(cls, type) and issubclass(cls, StripeObject) and hasattr(cls, "OBJECT_NAME")
}


def plain(answer: Any) -> Any:
    """Return the raw answer as plain dicts."""
    return json.loads(answer.last_response.body)


def lacking(value: Any, hint: Any = None, path: str = "") -> list[str]:
    """Return the paths of all declared fields that are not there, at every depth, lists and expansions included."""
    if isinstance(value, list):
        return [name for index, element in enumerate(value) for name in lacking(element, hint, f"{path}[{index}]")]
    if not isinstance(value, dict):
        return []
    kind = value.get("object")  # In an event's data, `object` is the object itself.
    cls = (CLASSES.get(kind) if isinstance(kind, str) else None) or _class(hint)
    if kind == "list":
        absent = [name for name in ("data", "has_more", "url") if name not in value]
        return [f"{path}.{name}" for name in absent] + lacking(value["data"], None, f"{path}.data")
    if cls is None or value.get("deleted"):
        return []
    hints = {name: hint for name, hint in cls.__annotations__.items() if name not in ABSENT}
    absent = [f"{path}.{name}" for name in hints if name not in value]
    return absent + [
        found for name, child in value.items() for found in lacking(child, hints.get(name), f"{path}.{name}")
    ]


def _class(hint: Any) -> type[StripeObject] | None:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, list) else (hint,)
    for option in options:
        if typing.get_origin(option) is list:
            return _class(typing.get_args(option)[0])
        if isinstance(option, type) and issubclass(option, StripeObject) and not issubclass(option, ListObject):
            return option
    return None
