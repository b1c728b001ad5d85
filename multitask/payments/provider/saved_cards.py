"""Saved cards whose tokens the platform stores."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCard:
    """A card that a payer has let the provider keep, which `token` charges again.

    `payment_id` names the payment with which it was saved, `email` the payer's address as the provider has it.
    `saved_at` orders the callbacks about one card.
    """

    id: str
    token: str = field(repr=False)
    payment_id: str
    email: str = field(repr=False)
    brand: str
    last4: str
    saved_at: datetime
