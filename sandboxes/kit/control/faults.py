"""Fault rules: add, list, remove."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.faults import DEFAULTS, REQUEST_KINDS, WEBHOOK_KINDS
from sandboxes.kit.sandbox import Sandbox


async def add(control: Control[Sandbox], given: Doc) -> Doc:
    """Add one rule, or several under `rules`."""
    rules = given.get("rules", [given])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("rules must be a list of objects")
    with control.sandbox.store.transaction():
        added = [control.sandbox.faults.add(rule) for rule in rules]
    return {"rules": added}


async def read(control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the rules with how often each matched and fired, and what a rule can say."""
    return {"rules": control.sandbox.faults.rules(), "kinds": [*REQUEST_KINDS, *WEBHOOK_KINDS], "defaults": DEFAULTS}


async def clear(control: Control[Sandbox], _given: Doc) -> Doc:
    """Remove all rules."""
    with control.sandbox.store.transaction():
        return {"removed": control.sandbox.faults.remove()}


async def remove(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Remove one rule."""
    with control.sandbox.store.transaction():
        return {"removed": control.sandbox.faults.remove(int(ident))}


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/faults", add),
    Endpoint("GET", "/_sandbox/faults", read),
    Endpoint("DELETE", "/_sandbox/faults", clear),
    Endpoint("DELETE", "/_sandbox/faults/{ident}", remove),
)
