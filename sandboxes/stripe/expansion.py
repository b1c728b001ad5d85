"""`expand`: ids in an answer replaced by the objects they name."""

from __future__ import annotations

from typing import Any

from sandboxes.stripe.box import Box
from sandboxes.stripe.documents import Doc, listed
from sandboxes.stripe.errors import bad_param
from sandboxes.stripe.shaping import expandable

MAX_DEPTH = 4
# Lists that an object carries only when asked to: kind of object, field, kind of element.
_INCLUDABLE = {
    ("charge", "refunds"): "refund",
    ("customer", "sources"): None,
    ("customer", "subscriptions"): None,
    ("customer", "tax_ids"): None,
}


def expand(box: Box, answer: Doc, paths: list[str]) -> Doc:
    """Expand each path (`latest_charge.balance_transaction`, `data.customer`) in place. Raises 400."""
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_DEPTH + (parts[0] == "data"):
            raise bad_param(f"You cannot expand more than {MAX_DEPTH} levels of a property (asked: {path}).", "expand")
        if answer.get("object") == "list":
            if parts[0] != "data":
                raise bad_param(f"This property cannot be expanded ({path}). Lists expand `data.…`.", "expand")
            for element in answer["data"]:
                _expand(box, element, parts[1:], path)
        else:
            _expand(box, answer, parts, path)
    return answer


def _expand(box: Box, value: Any, parts: list[str], path: str) -> None:
    if not parts or not isinstance(value, dict):
        return
    field, rest = parts[0], parts[1:]
    kind = value.get("object")
    if kind == "list" and field == "data":
        for element in value["data"]:
            _expand(box, element, rest, path)
        return
    if (kind, field) in _INCLUDABLE:
        value[field] = _included(box, value, str(kind), field)
    elif isinstance(value.get(field), str):
        value[field] = _opened(box, value, field, path)
    elif not isinstance(value.get(field), dict) and not (
        field in value and value[field] is None and _may(value, field)
    ):
        raise bad_param(f"This property cannot be expanded ({path}).", "expand")
    _expand(box, value[field], rest, path)


def _may(value: Doc, field: str) -> bool:
    kind = value.get("object")
    return kind is None or expandable(kind, field)


def _opened(box: Box, value: Doc, field: str, path: str) -> Any:
    doc = box.store.get(value[field]) if _may(value, field) else None
    if doc is None:
        raise bad_param(f"This property cannot be expanded ({path}).", "expand")
    return box.render(doc)


def _included(box: Box, value: Doc, kind: str, field: str) -> Doc:
    element = _INCLUDABLE[(kind, field)]
    found = box.store.find(element, parent=value["id"], newest_first=True, limit=11) if element else []
    shown = [box.render(doc) for doc in found[:10]]
    return listed(shown, f"/v1/{kind}s/{value['id']}/{field}", has_more=len(found) > 10)
