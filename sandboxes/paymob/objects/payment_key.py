"""Payment keys: the permission to pay one order by one integration. An intention has one for each of its methods."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import errors, integrations
from sandboxes.paymob.integrations import Integration
from sandboxes.paymob.sandbox import Sandbox


def create(sandbox: Sandbox, order: Doc, integration: Integration, amount: int, expires_at: float | None) -> Doc:
    """Create a key; `expires_at` is a virtual moment."""
    doc: Doc = {
        "id": sandbox.ids.new("key_test_", 48),
        "object": "payment_key",
        "created": sandbox.clock.now(),
        "order": order["id"],
        "integration": integration.ident,
        "amount": amount,
        "expires_at": expires_at,
    }
    return sandbox.keep(doc, parent=order["id"])


def find(sandbox: Sandbox, token: str) -> Doc:
    """Return a valid key. Raises 401."""
    key = sandbox.store.get(token, "payment_key")
    if key is None:
        raise errors.detail(401, "Incorrect or expired payment key.")
    return check(sandbox, key)


def check(sandbox: Sandbox, key: Doc) -> Doc:
    """Return the key if it is valid now. Raises 401."""
    if key["expires_at"] is not None and key["expires_at"] <= sandbox.clock.exact():
        raise errors.detail(401, "Incorrect or expired payment key.")
    return key


def integration_of(key: Doc) -> Integration:
    """Return how the key's holder pays."""
    return integrations.by_id(key["integration"])
