"""Verification of webhook signatures, on the raw bytes.

The SDK computes and compares the signature. This module adds what it lacks: it raises TypeError for a
header outside ASCII, accepts timestamps from the future, and tries every signature of a header, however many.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import stripe

from multitask.payments.provider import InvalidSignature

TOLERANCE: Final = timedelta(seconds=300)
# Stripe sends one signature, or two for a day after a secret was rolled, and one of a test scheme.
_MOST_SIGNATURES: Final = 10
_LONGEST_HEADER: Final = 2_000
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}", re.ASCII)


# Bound once, since the SDK resolves its names lazily at every use.
_verify: Final = stripe.WebhookSignature.verify_header


def verified_secrets(*, body: bytes, header: str, secrets: Mapping[str, str], now: datetime) -> frozenset[str]:
    """Return the names of the secrets that signed `body`. Raises InvalidSignature if none did.

    There is more than one name only if two endpoints share a secret. Empty secrets are ignored.
    """
    _check_shape(header)
    _check_time(header, now)
    for secret in dict.fromkeys(secrets.values()):
        if secret.strip() and _is_signed(body, header, secret):
            return frozenset(name for name, known in secrets.items() if known == secret)
    raise InvalidSignature("signature_mismatch", "The signature does not match the body.")


def _check_shape(header: str) -> None:
    if not header:
        raise InvalidSignature("signature_missing", "The Stripe-Signature header is missing.")
    if not header.isascii() or len(header) > _LONGEST_HEADER or header.count("=") > _MOST_SIGNATURES + 1:
        raise _malformed()


def _check_time(header: str, now: datetime) -> None:
    """Check that the timestamp is within the tolerance of `now`, past or future. Raises InvalidSignature."""
    stamps = [value for name, _, value in (item.partition("=") for item in header.split(",")) if name == "t"]
    if len(stamps) != 1 or not _TIMESTAMP.fullmatch(stamps[0]):
        raise _malformed()
    age = timedelta(seconds=now.timestamp() - int(stamps[0]))
    if age > TOLERANCE:
        raise InvalidSignature("signature_expired", "The webhook was signed too long ago.")
    if age < -TOLERANCE:
        raise InvalidSignature("signature_in_future", "The webhook was signed in the future.")


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    try:
        # No tolerance here: the SDK would ask the wall clock, and only about the past.
        _verify(body, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _malformed() -> InvalidSignature:
    return InvalidSignature("signature_malformed", "The Stripe-Signature header is malformed.")
