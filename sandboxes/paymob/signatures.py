"""The signatures of callbacks: HMAC-SHA512 of the values of certain fields, joined without separators.

The order of the fields is in Paymob's documentation; that null counts as empty text is known from integrations only.
Booleans are written `true` and `false`. Everything else in a callback is
unsigned: merchant_order_id, extras, is_refund, is_void, refunded_amount_cents, parent_transaction, is_live.
"""

from __future__ import annotations

import hashlib
import hmac

from sandboxes.kit.documents import Doc

TRANSACTION = (
    "amount_cents", "created_at", "currency", "error_occured", "has_parent_transaction", "id", "integration_id",
    "is_3d_secure", "is_auth", "is_capture", "is_refunded", "is_standalone_payment", "is_voided", "order.id", "owner",
    "pending", "source_data.pan", "source_data.sub_type", "source_data.type", "success",
)  # fmt: skip
CARD_TOKEN = ("card_subtype", "created_at", "email", "id", "masked_pan", "merchant_id", "order_id", "token")


def of_transaction(obj: Doc, secret: str) -> str:
    """Return the signature of a transaction's callback, in lower-case hexadecimal digits."""
    return _signed(obj, TRANSACTION, secret)


def of_card_token(obj: Doc, secret: str) -> str:
    """Return the signature of a saved card's callback."""
    return _signed(obj, CARD_TOKEN, secret)


def text(value: object) -> str:
    """Return a value as it is signed, and as the parameters of a redirect carry it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _signed(obj: Doc, fields: tuple[str, ...], secret: str) -> str:
    message = "".join(text(_value(obj, field)) for field in fields)
    return hmac.new(secret.encode(), message.encode(), hashlib.sha512).hexdigest()


def _value(obj: Doc, field: str) -> object:
    name, _, inner = field.partition(".")
    return obj[name][inner] if inner else obj[name]
