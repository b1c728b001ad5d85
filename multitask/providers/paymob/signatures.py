"""Verification of callbacks: HMAC-SHA512 over the values of certain fields in a fixed order, without separators.

The order of the fields is documented; that null counts as an empty text is known from several programs that agree
(secondary). The date is signed as it is written.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Final

from multitask.payments.provider import InvalidSignature

TRANSACTION: Final = "TRANSACTION"
SAVED_CARD: Final = "TOKEN"
SIGNED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    TRANSACTION: (
        "amount_cents",
        "created_at",
        "currency",
        "error_occured",
        "has_parent_transaction",
        "id",
        "integration_id",
        "is_3d_secure",
        "is_auth",
        "is_capture",
        "is_refunded",
        "is_standalone_payment",
        "is_voided",
        "order.id",
        "owner",
        "pending",
        "source_data.pan",
        "source_data.sub_type",
        "source_data.type",
        "success",
    ),
    SAVED_CARD: ("card_subtype", "created_at", "email", "id", "masked_pan", "merchant_id", "order_id", "token"),
}

_DIGITS: Final = 128  # of a SHA-512 in hexadecimal


def signed_values(kind: str, obj: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the signed values of a callback's object, in order. Raises InvalidSignature for what cannot be signed."""
    return tuple(_written(_found(obj, name)) for name in SIGNED_FIELDS[kind])


def sign(values: tuple[str, ...], secret: str) -> str:
    """Return the signature of values, in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), "".join(values).encode(), hashlib.sha512).hexdigest()


def require_signed(values: tuple[str, ...], *, given: str, secret: str) -> None:
    """Compare a signature in constant time. Raises InvalidSignature."""
    if not given:
        raise InvalidSignature("signature_missing", "The parameter hmac is missing.")
    if len(given) != _DIGITS or not given.isascii():
        raise InvalidSignature("signature_malformed", "The parameter hmac is malformed.")
    if not secret.strip() or not hmac.compare_digest(sign(values, secret), given):
        raise InvalidSignature("signature_mismatch", "The signature does not match the body.")


def _found(obj: Mapping[str, Any], name: str) -> object:
    value: object = obj
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise InvalidSignature("not_an_event", f"The signed field {name} is missing.")
        value = value[part]
    return value


def _written(value: object) -> str:
    """Return a value as it is signed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        _require_text(value)
        return value
    if isinstance(value, int):
        return str(value)
    raise InvalidSignature("not_an_event", "A signed field has a value that cannot be signed.")


def _require_text(value: str) -> None:
    """Refuse a text with half a surrogate pair, which has no bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidSignature("not_an_event", "A signed field is not a text.") from None


def describe(values: tuple[str, ...]) -> Iterator[str]:
    """Yield the values with their lengths, so that moving a digit from one field to the next changes the result."""
    return (f"{len(value)}:{value}" for value in values)
