"""Translation of callbacks: which order changed, whose state is always read from Paymob, or which card was saved.

Only the signed fields are used. Our reference, whether a transaction is a refund, and the total refunded are not
signed, so anybody who has seen one callback could send another with those changed.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from multitask.payments.provider import InboundEvent, InvalidSignature, Subject
from multitask.providers.paymob import saved_cards, signatures, times, transactions

_LONGEST_HINT: Final = 10_000
_LONGEST_ID: Final = 64
Raw = Mapping[str, Any]


def read(
    body: bytes, *, given: str, secret: str, integrations: Iterable[int], now: datetime, live: bool
) -> InboundEvent:
    """Check the signature of a callback and translate it. Raises InvalidSignature."""
    raw = _parse(body)
    kind, obj = raw.get("type"), raw.get("obj")
    if not isinstance(kind, str) or kind not in signatures.SIGNED_FIELDS or not isinstance(obj, Mapping):
        raise _not_an_event()
    values = signatures.signed_values(kind, obj)
    signatures.require_signed(values, given=given, secret=secret)
    object_id = transactions.identifier(obj["id"])
    if not object_id:
        raise _not_an_event()
    subject, changed, doubt = Subject.NOTHING, "", ""
    card = saved_cards.read(obj, now=now) if kind == signatures.SAVED_CARD else None
    if kind == signatures.TRANSACTION:
        subject, changed = Subject.PAYMENT, _changed(obj, object_id)
        doubt = _doubt(obj, integrations)
    elif card is None:
        doubt = "The event is about a saved card, whose token or order cannot be read."
    return InboundEvent(
        id=_event_id(kind, object_id, values, secret),
        kind=f"{kind.lower()}.{_state(obj)}" if kind == signatures.TRANSACTION else "token.saved",
        subject=subject,
        object_id=changed,
        created_at=times.parse(obj["created_at"]) or now,
        live=live,
        related={"payment": changed.partition("/")[0]} if changed else {},
        quarantine_reason=doubt,
        saved_card=card,
    )


def _event_id(kind: str, object_id: str, values: tuple[str, ...], secret: str) -> str:
    """Return the id by which a repetition of an event is known.

    Of a saved card it covers what is signed, however that is divided into fields: the event itself is acted upon, so
    one that was received must not come again, with digits moved from one field to the next, as another.
    """
    is_card = kind == signatures.SAVED_CARD
    covered = "".join(values if is_card else signatures.describe(values))
    # Keyed: the values include the payer's phone number or address, which could be guessed from a bare hash.
    digest = hmac.new(secret.encode(), covered.encode(), hashlib.sha256).hexdigest()[:40]
    return f"{kind.lower()}:{digest}" if is_card else f"{kind.lower()}:{object_id}:{digest}"


def hinted_payout(body: bytes) -> str:
    """Return the id of the payout that an unsigned callback names; empty for anything else."""
    if len(body) > _LONGEST_HINT:
        return ""
    try:
        found = _parse(body).get("transaction_id")
    except InvalidSignature:
        return ""
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID else ""


def _changed(obj: Raw, transaction_id: str) -> str:
    """Return the payment, by its order and this transaction.

    The transaction is named too, since the order's last one may be another: see `Payments.read_payment`.
    """
    order_id = transactions.identifier(obj["order"]["id"])
    if not order_id:
        raise _not_an_event()
    return f"{order_id}/{transaction_id}"


def _doubt(obj: Raw, integrations: Iterable[int]) -> str:
    """Return why an event is suspicious, or "".

    Values are signed without separators, so digits could be moved from one number to the next.
    """
    known = {str(integration) for integration in integrations}
    found = transactions.identifier(obj["integration_id"])
    return "" if found in known else f"The event names the integration {found!r}, which is not configured."


def _state(obj: Raw) -> str:
    """Return a word for the event, for lists: what the signed fields say."""
    if obj["has_parent_transaction"] is True:
        return "child"
    if obj["is_voided"] is True or obj["is_refunded"] is True:
        return "refunded"
    if obj["pending"] is True:
        return "pending"
    return "paid" if obj["success"] is True and obj["error_occured"] is False else "declined"


def _parse(body: bytes) -> Raw:
    try:
        raw = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise _not_an_event() from None
    if not isinstance(raw, dict):
        raise _not_an_event()
    return raw


def _not_an_event() -> InvalidSignature:
    return InvalidSignature("not_an_event", "The body is not a callback of Paymob.")
