"""Credentials: a secret key, a token of the older API, or a payout token; any test credential is the only merchant's.

Keys that begin with `invalid` after their prefix, and live keys, are refused, so that a wrong key can be tested.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from sandboxes.kit.documents import Doc
from sandboxes.paymob import errors
from sandboxes.paymob.sandbox import Sandbox

SECRET, PUBLIC = "egy_sk_test_", "egy_pk_test_"
AUTH_SECONDS = 3_600


def is_secret_key(headers: Mapping[str, str]) -> bool:
    """Return whether the caller has a secret key. Raises 401 for one that is not valid."""
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme != "Token":
        return False
    if not _is_test_key(key, SECRET):
        raise errors.detail(401, "Invalid token.")
    return True


def is_public_key(key: str) -> bool:
    """Return whether a checkout page may be opened with this key."""
    return _is_test_key(key, PUBLIC)


def is_api_key(key: str) -> bool:
    """Return whether a key gets a token of the older API."""
    return bool(key) and not key.startswith("invalid")


def new_auth_token(sandbox: Sandbox) -> str:
    """Return a token of the older API, which is valid for an hour."""
    token = sandbox.ids.new("ZXlK", 80)
    expires_at = sandbox.clock.exact() + AUTH_SECONDS
    sandbox.keep({"id": token, "object": "auth_token", "created": sandbox.clock.now(), "expires_at": expires_at})
    return token


def check_auth_token(sandbox: Sandbox, headers: Mapping[str, str], given: Doc) -> None:
    """Check the token of the older API: in a header, in the body, or as `token` in the address. Raises 401."""
    in_body, in_address = given.pop("auth_token", None), given.pop("token", None)
    token = in_body or bearer(headers) or in_address
    doc = sandbox.store.get(token, "auth_token") if isinstance(token, str) else None
    if doc is None or doc["expires_at"] <= sandbox.clock.exact():
        raise errors.unauthenticated()


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of a Bearer header, or an empty text."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def is_payout_client(headers: Mapping[str, str], given: Doc) -> bool:
    """Return whether a Basic header, or else the form, holds a client id and secret of payouts."""
    in_form = (given.pop("client_id", ""), given.pop("client_secret", ""))
    scheme, _, text = headers.get("Authorization", "").partition(" ")
    if not scheme:
        return _is_client(*in_form)
    try:
        client, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme == "Basic" and _is_client(client, secret)


def _is_client(client: str, secret: str) -> bool:
    return all(part and not part.startswith("invalid") for part in (client, secret))


def _is_test_key(key: str, prefix: str) -> bool:
    return key.startswith(prefix) and len(key) > len(prefix) and not key.startswith(f"{prefix}invalid")
