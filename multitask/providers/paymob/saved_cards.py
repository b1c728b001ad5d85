"""Saved cards: a callback brings the token of a card that a payer has let Paymob keep, and an intention takes it back.

Paymob has no customers and no documented call that deletes a token, so they are stored on our side. How many an
intention takes is known from its plugin (secondary).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from multitask.payments.provider import Payer, SavedCard
from multitask.providers.paymob import payers, times, transactions

MOST: Final = 3
_LONGEST_TOKEN: Final = 255
_LONGEST_BRAND: Final = 40
_LAST_FOUR: Final = re.compile(r"[0-9]{4}\Z")


def read(obj: Mapping[str, Any], *, now: datetime) -> SavedCard | None:
    """Return the card of a callback, by its signed fields alone; None for one that cannot be used."""
    card_id, order_id = transactions.identifier(obj["id"]), transactions.identifier(obj["order_id"])
    token, digits = _word(obj["token"]), _LAST_FOUR.search(_word(obj["masked_pan"]))
    if not (card_id and order_id and token and len(token) <= _LONGEST_TOKEN):
        return None
    return SavedCard(
        id=card_id,
        token=token,
        payment_id=order_id,
        email=_word(obj["email"]),
        brand=_word(obj["card_subtype"])[:_LONGEST_BRAND],
        last4=digits[0] if digits else "",
        saved_at=times.parse(obj["created_at"]) or now,
    )


def is_saved_by(card: SavedCard, payer: Payer) -> bool:
    """Return whether a callback has the address that was sent with the payer's intention.

    The values of a callback are signed without separators: digits could be moved from its merchant to its order, so
    the order alone does not prove whose card it is. The address stands before all numbers.
    """
    return card.email.casefold() == payers.billing(payer)["email"].casefold()


def _word(value: object) -> str:
    """Return a text without characters that cannot be stored or shown; empty for anything else."""
    return value if isinstance(value, str) and value.isprintable() else ""
