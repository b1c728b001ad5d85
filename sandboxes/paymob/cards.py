"""Test cards, and the wallet's number and code.

The first three cards, the wallet, and the code are in Paymob's documentation. The cards that are declined, and what
their refunds do, exist only in this sandbox.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WALLET = "01010101010"
CODE = "123456"


@dataclass(frozen=True)
class Card:
    """What a card does: `code` is txn_response_code, `message` is data.message, `refund` is approved or declined."""

    number: str
    brand: str
    code: str = "APPROVED"
    message: str = "Approved"
    secure: bool = True
    refund: str = "approved"
    broken: bool = False

    @property
    def approves(self) -> bool:
        """Return whether payments with the card are approved."""
        return self.code == "APPROVED"


ALL = (
    Card("5123456789012346", "MasterCard"),
    Card("5123450000000008", "MasterCard", secure=False),
    Card("4111111111111111", "Visa"),
    Card("4000000000000002", "Visa", "DECLINED", "Do not honour", secure=False),
    Card("4000000000009995", "Visa", "INSUFFICIENT_FUNDS", "Insufficient funds"),
    Card("4000000000000069", "Visa", "EXPIRED_CARD", "Expired card", secure=False),
    Card("4000000000000119", "Visa", "ERROR", "System error", secure=False, broken=True),
    Card("4000000000005126", "Visa", secure=False, refund="declined"),
)


def find(number: str) -> Card | None:
    """Return a test card by its number, written with or without spaces and dashes."""
    digits = re.sub(r"[\s-]", "", number)
    return next((card for card in ALL if card.number == digits), None)


def by_number(number: str) -> Card:
    """Return a test card that is known to exist."""
    return next(card for card in ALL if card.number == number)
