"""Fault rules: add, list, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandboxes.stripe.control import Endpoint
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.faults import DEFAULTS, REQUEST_KINDS, WEBHOOK_KINDS

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control


async def add(control: Control, given: Doc) -> Doc:
    """Add one rule, or several under `rules`."""
    rules = given.get("rules", [given])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("rules must be a list of objects")
    with control.box.store.transaction():
        added = [control.box.faults.add(rule) for rule in rules]
    return {"rules": added}


async def read(control: Control, _given: Doc) -> Doc:
    """Return the rules with how often each matched and fired, and what a rule can say."""
    return {"rules": control.box.faults.rules(), "kinds": [*REQUEST_KINDS, *WEBHOOK_KINDS], "defaults": DEFAULTS}


async def clear(control: Control, _given: Doc) -> Doc:
    """Remove all rules."""
    with control.box.store.transaction():
        return {"removed": control.box.faults.remove()}


async def remove(control: Control, _given: Doc, ident: str) -> Doc:
    """Remove one rule."""
    with control.box.store.transaction():
        return {"removed": control.box.faults.remove(int(ident))}


ROUTES: list[Endpoint] = [
    ("POST", "/_sandbox/faults", add),
    ("GET", "/_sandbox/faults", read),
    ("DELETE", "/_sandbox/faults", clear),
    ("DELETE", "/_sandbox/faults/{ident}", remove),
]
