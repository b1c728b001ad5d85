"""Complete objects: every field that Stripe's types declare, with explicit nulls."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from sandboxes.kit.documents import Doc

FOLDER = Path(__file__).parent / "shapes"
EXPANDABLE = "@"


@cache
def shape(kind: str) -> Doc | None:
    """Return the names of an object's fields, nested, or None for a kind without a file."""
    path = FOLDER / f"{kind}.json"
    return json.loads(path.read_text()) if path.exists() else None


@cache
def event_types() -> frozenset[str]:
    """Return every type of event that an endpoint can subscribe to."""
    return frozenset(json.loads((FOLDER / "event_types.json").read_text()))


def complete(doc: Doc) -> Doc:
    """Return the object with null for each declared field that it lacks, at every depth."""
    names = shape(doc["object"])
    return _filled(doc, names) if names else doc


def _filled(value: Any, names: Any) -> Any:
    if isinstance(value, list):
        return [_filled(element, names) for element in value]
    if not isinstance(value, dict) or not isinstance(names, dict):
        return value
    filled = {name: _filled(child, names.get(name)) for name, child in value.items()}
    for name in names:
        filled.setdefault(name, None)
    return dict(sorted(filled.items()))


def expandable(kind: str, field: str) -> bool:
    """Return whether a field of an object holds an id that can be expanded."""
    return (shape(kind) or {}).get(field) == EXPANDABLE
