"""The tokens of payouts: an hour of access for a password, and a refresh that ends the tokens before it."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob.sandbox import Sandbox

SECONDS = 3_600


def issue(sandbox: Sandbox) -> Doc:
    """Issue an access token and its refresh token."""
    doc: Doc = {
        "id": sandbox.ids.new("", 30),
        "object": "payout_token",
        "created": sandbox.clock.now(),
        "refresh": sandbox.ids.new("", 30),
        "expires_at": sandbox.clock.exact() + SECONDS,
        "revoked": False,
    }
    return sandbox.keep(doc, parent=doc["refresh"])


def refresh(sandbox: Sandbox, token: str) -> Doc | None:
    """Exchange a refresh token, once, for new tokens; the old access token ends too. None for one that is not valid."""
    found = sandbox.store.find("payout_token", parent=token, limit=1)
    if not found or found[0]["revoked"]:
        return None
    sandbox.store.save({**found[0], "revoked": True})
    return issue(sandbox)


def is_valid(sandbox: Sandbox, token: str) -> bool:
    """Return whether an access token may call now."""
    doc = sandbox.store.get(token, "payout_token")
    return doc is not None and not doc["revoked"] and doc["expires_at"] > sandbox.clock.exact()


def shown(doc: Doc) -> Doc:
    """Return what the caller of the token's endpoint gets."""
    return {
        "access_token": doc["id"],
        "expires_in": SECONDS,
        "token_type": "Bearer",
        "scope": "read write",
        "refresh_token": doc["refresh"],
    }
