"""The journal of money: its entries, all or those of one object."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox


async def read(control: Control[Sandbox], given: Doc) -> Doc:
    """Return the entries of the journal, all or those of `object`."""
    return {"entries": control.sandbox.journal.entries(given.get("object"))}


ENDPOINTS = (Endpoint("GET", "/_sandbox/money/journal", read),)
