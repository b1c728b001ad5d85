"""Orders: what is paid for. An intention has one; a legacy integration creates them itself."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import integrations, times
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.sandbox import Sandbox

FIRST = 200_000_001


def is_used(sandbox: Sandbox, reference: str) -> bool:
    """Return whether an order has this reference of the merchant already."""
    return bool(sandbox.store.find("order", parent=_slot(reference), limit=1))


def create(
    sandbox: Sandbox,
    amount: int,
    reference: str | None,
    *,
    items: list[Doc] | None = None,
    billing: Doc | None = None,
    extras: Doc | None = None,
    notification_url: str | None = None,
    redirection_url: str | None = None,
    intention: str | None = None,
) -> Doc:
    """Create an order. The caller has made sure that the reference is free."""
    number = sandbox.ids.number("order", FIRST)
    doc: Doc = {
        "id": f"order_{number}",
        "object": "order",
        "created": sandbox.clock.now(),
        "number": number,
        "amount": amount,
        "reference": reference,
        "items": items or [],
        "billing": billing or {},
        "extras": extras or {},
        "notification_url": notification_url,
        "redirection_url": redirection_url,
        "intention": intention,
        "paid": 0,
        "_moment": sandbox.clock.exact(),
    }
    return sandbox.keep(doc, parent=_slot(reference) if reference else None)


def rename(sandbox: Sandbox, order: Doc, reference: str) -> None:
    """Give an order another reference of the merchant."""
    order["reference"] = reference
    sandbox.store.save(order, parent=_slot(reference))


def by_number(sandbox: Sandbox, number: int | str) -> Doc:
    """Return an order by its number. Raises 404."""
    return sandbox.find("order", f"order_{number}")


def by_reference(sandbox: Sandbox, reference: str) -> Doc | None:
    """Return the order with a reference of the merchant."""
    found = sandbox.store.find("order", parent=_slot(reference), limit=1)
    return found[0] if found else None


def shown(order: Doc) -> Doc:
    """Return an order as the API and the callbacks show it."""
    return {
        "id": order["number"],
        "created_at": times.written(order["_moment"]),
        "delivery_needed": False,
        "merchant": {"id": integrations.MERCHANT, "company_name": "Sandbox merchant", "country": "EGY"},
        "collector": None,
        "amount_cents": order["amount"],
        "shipping_data": None,
        "currency": CURRENCY,
        "is_payment_locked": False,
        "is_return": False,
        "is_cancel": False,
        "is_returned": False,
        "is_canceled": False,
        "merchant_order_id": order["reference"],
        "wallet_notification": None,
        "paid_amount_cents": order["paid"],
        "notify_user_with_email": False,
        "items": order["items"],
        "order_url": "NA",
        "commission_fees": 0,
        "delivery_fees_cents": 0,
        "delivery_vat_cents": 0,
        "payment_method": "tbc",
        "merchant_staff_tag": None,
        "api_source": "OTHER",
        "data": {"notification_url": order["notification_url"]} if order["notification_url"] else {},
        "payment_status": "PAID" if order["paid"] else "UNPAID",
    }


def render(_sandbox: Sandbox, doc: Doc) -> Doc:
    """Return an order for the control API."""
    return {"object": "order", **shown(doc)}


def _slot(reference: str) -> str:
    """Return the parent under which the store finds the order of a reference."""
    return f"reference/{reference}"
