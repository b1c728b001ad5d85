"""Paymob's transaction: one try to pay an order, or a refund or void of an earlier one, which is its parent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from multitask.money import Money
from multitask.providers.paymob import amounts, errors, times
from multitask.text import masking

Raw = Mapping[str, Any]
CARD: Final = "card"
KIOSK: Final = "aggregator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction as the inquiry shows it. `source` is "card", "wallet" or, for a kiosk, "aggregator".

    `refunded` counts a transaction that was voided, or refunded without a total, as refunded in full. `order_paid` is
    what all tries together have collected for the order, zero if the answer does not show it.
    """

    id: str
    order_id: str
    order_paid: Money
    special_reference: str
    amount: Money
    refunded: Money
    source: str
    integration_id: str
    created_at: datetime | None
    parent_id: str
    is_success: bool
    is_pending: bool
    is_error: bool
    is_voided: bool
    is_authorization: bool
    is_child: bool
    failure_code: str
    failure_message: str

    @property
    def is_collected(self) -> bool:
        """Whether it took money from the payer, whatever went back since; an authorization alone takes none."""
        return self.is_success and not (self.is_pending or self.is_error or self.is_child or self.is_authorization)

    @property
    def is_paid(self) -> bool:
        """Whether it took money of which some has not gone back."""
        return self.is_collected and self.refunded < self.amount

    @property
    def has_gone_back(self) -> bool:
        """Whether all that it took has gone back."""
        return self.is_collected and not self.is_paid


def read(raw: Raw) -> Transaction:
    """Read a transaction. Raises Unknown when it lacks what decides about money."""
    amount = amounts.from_piastres(raw.get("amount_cents"))
    order = raw.get("order")
    order_id = identifier(order.get("id") if isinstance(order, Mapping) else order)
    transaction_id = identifier(raw.get("id"))
    flags = {name: raw.get(name) for name in ("success", "pending")}
    if (
        amount is None
        or not (transaction_id and order_id)
        or not all(isinstance(flag, bool) for flag in flags.values())
    ):
        raise errors.unexpected("transaction", raw.get("id"))
    if raw.get("currency") != amounts.CURRENCY:
        raise errors.unexpected("currency", raw.get("currency"))
    source, details = _inner(raw, "source_data"), _inner(raw, "data")
    parent_id = identifier(raw.get("parent_transaction"))
    return Transaction(
        id=transaction_id,
        order_id=order_id,
        order_paid=_order_paid(order),
        special_reference=_special_reference(raw, order),
        amount=amount,
        refunded=_refunded(raw, amount),
        source=str(source.get("type") or "").lower(),
        integration_id=identifier(raw.get("integration_id")),
        created_at=times.parse(raw.get("created_at")),
        parent_id=parent_id,
        is_success=raw["success"],
        is_pending=raw["pending"],
        is_error=_flag(raw, "error_occured"),
        is_voided=_flag(raw, "is_voided"),
        is_authorization=_flag(raw, "is_auth"),
        is_child=bool(parent_id)
        or any(_flag(raw, name) for name in ("has_parent_transaction", "is_refund", "is_void")),
        failure_code=str(details.get("txn_response_code") or raw.get("txn_response_code") or "")[:100],
        failure_message=masking.sentence(str(details.get("message") or ""))[: errors.LONGEST_MESSAGE],
    )


def identifier(value: object) -> str:
    """Return an id, a number or a text of digits, or an object that has one; empty for anything else."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if type(value) is int:
        return str(value) if value > 0 else ""
    return value if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 30 else ""


def _flag(raw: Raw, name: str) -> bool:
    """Return a flag. Raises Unknown for one that is neither true, false nor missing."""
    value = raw.get(name, False)
    if value not in (True, False, None):
        raise errors.unexpected("transaction", raw.get("id"))
    return bool(value)


def _refunded(raw: Raw, amount: Money) -> Money:
    """Return what was refunded in total. Raises Unknown for a total that cannot be."""
    if _flag(raw, "is_voided"):
        return amount
    total = amounts.from_piastres(raw.get("refunded_amount_cents") or 0)
    if total is None or total.amount_minor < 0 or total > amount:
        raise errors.unexpected("refunded_amount", raw.get("refunded_amount_cents"))
    return amount if not total.amount_minor and _flag(raw, "is_refunded") else total


def _order_paid(order: object) -> Money:
    """Return what was collected for an order. Raises Unknown for what is not an amount."""
    written = (order.get("paid_amount_cents") if isinstance(order, Mapping) else None) or 0
    paid = amounts.from_piastres(written)
    if paid is None:
        raise errors.unexpected("paid_amount", written)
    return paid


def _special_reference(raw: Raw, order: object) -> str:
    """Return our reference of the attempt; the callbacks' order has it as `merchant_order_id`."""
    found = order.get("merchant_order_id") if isinstance(order, Mapping) else None
    found = found or raw.get("merchant_order_id") or raw.get("special_reference")
    return found if isinstance(found, str) else ""


def _inner(raw: Raw, name: str) -> Raw:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}
