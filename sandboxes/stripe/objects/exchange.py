"""Conversion: an account may settle what it takes in one currency in another, at a rate of the moment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sandboxes.kit.documents import Doc
from sandboxes.stripe.sandbox import Sandbox


@dataclass(frozen=True)
class Settled:
    """An amount in the currency in which an account settles it. `rate` is null where nothing is converted."""

    amount: int
    currency: str
    rate: str | None

    @property
    def shown_rate(self) -> float | None:
        """Return the rate as the API answers it: minor units of this currency for one of the charge's."""
        return float(self.rate) if self.rate is not None else None


def settled(sandbox: Sandbox, account: str, amount: int, currency: str, *, like: Doc | None = None) -> Settled:
    """Convert an amount as an account settles it now; `like` is the movement whose currency it has to have."""
    kept = sandbox.store.get(account, "account")
    rule = (kept or {}).get("_settlement", {}).get(currency)
    into = like["currency"] if like else (rule or {}).get("currency", currency)
    if into == currency:
        return Settled(amount, currency, None)
    rate = rule["rate"] if rule and rule["currency"] == into else str(like and like["_rate"])
    return Settled(converted(amount, rate), into, rate)


def converted(amount: int, rate: str | None) -> int:
    """Return an amount at a rate, rounded half away from zero; without a rate as it is."""
    return amount if rate is None else int((amount * Decimal(rate)).quantize(Decimal(1), ROUND_HALF_UP))
