"""Who calls: the key, the account it speaks for, the version of the API."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from sandboxes.kit.errors import ApiError, bad_param
from sandboxes.stripe.errors import unauthorized
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import API_VERSION


@dataclass(frozen=True)
class Caller:
    """A key that was accepted."""

    account: str
    publishable: bool


def authenticate(sandbox: Sandbox, headers: Mapping[str, str], form_key: object = None) -> Caller:
    """Accept a test key and the account that it names. Raises 401 and 403."""
    key = _key(headers) or form_key
    if not key or not isinstance(key, str):
        raise unauthorized(
            "You did not provide an API key. Give it in the Authorization header: 'Authorization: Bearer YOUR_KEY'."
        )
    shown = f"{key[:8]}{'*' * 8}{key[-4:]}"
    if key.startswith(("sk_live_", "pk_live_", "rk_live_")):
        raise unauthorized(f"This is a sandbox: live keys are refused ({shown}).")
    known = key.isascii() and key.startswith(("sk_test_", "rk_test_", "pk_test_"))
    if not known or "_test_invalid" in key or len(key) < 9:
        raise unauthorized(f"Invalid API Key provided: {shown}")
    return Caller(_account(sandbox, headers, shown), key.startswith("pk_test_"))


def check_version(headers: Mapping[str, str]) -> None:
    """Refuse a version that this sandbox does not speak. Raises 400."""
    asked = headers.get("Stripe-Version", API_VERSION)
    if asked != API_VERSION:
        raise bad_param(f"Invalid Stripe API version: {asked}. This sandbox speaks {API_VERSION}.", None)


def _key(headers: Mapping[str, str]) -> str:
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def _account(sandbox: Sandbox, headers: Mapping[str, str], shown: str) -> str:
    named = headers.get("Stripe-Account")
    if not named:
        return sandbox.platform
    account = sandbox.store.get(named, "account") if named.isascii() else None
    if account is None or account.get("_deauthorized"):
        raise ApiError(
            403,
            f"The provided key '{shown}' does not have access to account '{named}'"
            " (or that account does not exist). Application access may have been revoked.",
            code="account_invalid",
            saved=False,
        )
    return named
