"""`expand`: ids in an answer replaced by the objects they name."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.stripe.listing import listed
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.shaping import expandable

MAX_DEPTH = 4
# Lists that an object carries only when asked to: kind of object, field, kind of element.
_INCLUDABLE = {
    ("charge", "refunds"): "refund",
    ("customer", "sources"): None,
    ("customer", "subscriptions"): None,
    ("customer", "tax_ids"): None,
}


def expand(sandbox: Sandbox, answer: Doc, paths: list[str]) -> Doc:
    """Expand each path (`latest_charge.balance_transaction`, `data.customer`) in place. Raises 400."""
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_DEPTH + (parts[0] == "data"):
            raise bad_param(f"You cannot expand more than {MAX_DEPTH} levels of a property (asked: {path}).", "expand")
        if answer.get("object") == "list":
            if parts[0] != "data":
                raise bad_param(f"This property cannot be expanded ({path}). Lists expand `data.…`.", "expand")
            for element in answer["data"]:
                _expand(sandbox, element, parts[1:], path)
        else:
            _expand(sandbox, answer, parts, path)
    return answer


def _expand(sandbox: Sandbox, value: Any, parts: list[str], path: str) -> None:
    if not parts or not isinstance(value, dict):
        return
    field, rest = parts[0], parts[1:]
    kind = value.get("object")
    if kind == "list" and field == "data":
        for element in value["data"]:
            _expand(sandbox, element, rest, path)
        return
    if (kind, field) in _INCLUDABLE:
        value[field] = _included(sandbox, value, str(kind), field)
    elif isinstance(value.get(field), str):
        value[field] = _opened(sandbox, value, field, path)
    elif not isinstance(value.get(field), dict) and not (
        field in value and value[field] is None and _may(value, field)
    ):
        raise bad_param(f"This property cannot be expanded ({path}).", "expand")
    _expand(sandbox, value[field], rest, path)


def _may(value: Doc, field: str) -> bool:
    kind = value.get("object")
    return kind is None or expandable(kind, field)


def _opened(sandbox: Sandbox, value: Doc, field: str, path: str) -> Any:
    doc = sandbox.store.get(value[field]) if _may(value, field) else None
    if doc is None:
        raise bad_param(f"This property cannot be expanded ({path}).", "expand")
    return sandbox.render(doc)


def _included(sandbox: Sandbox, value: Doc, kind: str, field: str) -> Doc:
    element = _INCLUDABLE[(kind, field)]
    found = sandbox.store.find(element, parent=value["id"], newest_first=True, limit=11) if element else []
    shown = [sandbox.render(doc) for doc in found[:10]]
    return listed(shown, f"/v1/{kind}s/{value['id']}/{field}", has_more=len(found) > 10)
