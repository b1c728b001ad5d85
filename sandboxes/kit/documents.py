"""The shape of stored state: one JSON document per object, private fields prefixed with an underscore."""

from __future__ import annotations

from typing import Any

Doc = dict[str, Any]


def public(doc: Doc) -> Doc:
    """Return a copy without the private fields."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def merged(current: Doc, given: Doc) -> Doc:
    """Return a copy in which the given names are replaced, nested objects name by name."""
    copy = dict(current)
    for name, value in given.items():
        old = copy.get(name)
        copy[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return copy


def changes(before: Doc, after: Doc) -> Doc:
    """Return the earlier values of the fields that differ: nested objects by their changed names, lists whole."""
    changed: Doc = {}
    for name, value in after.items():
        old = before.get(name)
        if old == value:
            continue
        nested = isinstance(old, dict) and isinstance(value, dict)
        changed[name] = changes(old, value) if nested else old  # type: ignore[arg-type]
    changed.update({name: before[name] for name in before.keys() - after.keys()})
    return changed
