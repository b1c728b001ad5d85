"""Transactions: each attempt to pay an order, and each refund, void and capture, which is a child of what it changes.

A transaction is pending, approved or declined. What is decided about it is sent as a callback at once.
"""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import callbacks, integrations, times
from sandboxes.paymob.amounts import CURRENCY, share
from sandboxes.paymob.objects import order as orders
from sandboxes.paymob.sandbox import Sandbox

FIRST = 300_000_001
UNSETTLED = "merchant/unsettled"
FEES, VAT = "paymob/fees", "paymob/vat"
PENDING, APPROVED, DECLINED = "pending", "approved", "declined"
PAYMENT, AUTH, CAPTURE, REFUND, VOID = "payment", "auth", "capture", "refund", "void"


def create(
    sandbox: Sandbox,
    order: Doc,
    kind: str,
    amount: int,
    integration: int,
    source: Doc,
    *,
    parent: int | None = None,
    secure: bool = False,
    **more: object,
) -> Doc:
    """Create a pending transaction; `source` is what callbacks call source_data. `parent` is a transaction's number."""
    number = sandbox.ids.number("transaction", FIRST)
    doc: Doc = {
        "id": f"transaction_{number}",
        "object": "transaction",
        "created": sandbox.clock.now(),
        "number": number,
        "order": order["id"],
        "kind": kind,
        "status": PENDING,
        "amount": amount,
        "integration": integration,
        "source": source,
        "secure": secure,
        "parent": parent,
        "code": None,
        "message": None,
        "broken": False,
        "refunded": 0,
        "captured": 0,
        "voided": False,
        "fee": 0,
        "vat": 0,
        "settlement": None,
        "bill_reference": None,
        "_moment": sandbox.clock.exact(),
        "_updated": sandbox.clock.exact(),
        "_challenge": None,
        "_card": None,
        "_save": False,
        **more,
    }
    return sandbox.keep(doc, parent=order["id"])


def approve(sandbox: Sandbox, doc: Doc) -> None:
    """Approve a payment or an authorization. A payment takes the money from the payer and pays Paymob's fee of it."""
    doc |= {"status": APPROVED, "code": "APPROVED", "message": "Approved"}
    if doc["kind"] == PAYMENT:
        collect(sandbox, doc, doc["amount"])
    save(sandbox, doc)
    announce(sandbox, doc)


def decline(sandbox: Sandbox, doc: Doc, code: str, message: str, *, broken: bool = False) -> None:
    """Decline a transaction; nothing moves."""
    doc |= {"status": DECLINED, "code": code, "message": message, "broken": broken}
    save(sandbox, doc)
    announce(sandbox, doc)


def collect(sandbox: Sandbox, doc: Doc, amount: int) -> None:
    """Take an amount from the payer: the merchant gets it less the fee and the VAT of the fee."""
    settings = sandbox.settings
    fee = min(amount, share(amount, settings.fee_basis_points) + settings.fee_fixed)
    vat = min(amount - fee, share(fee, settings.vat_basis_points))
    doc |= {"fee": fee, "vat": vat}
    sandbox.journal.post(
        doc["kind"], doc["id"], CURRENCY,
        (payers(doc), -amount), (UNSETTLED, amount - fee - vat), (FEES, fee), (VAT, vat),
    )  # fmt: skip
    order = order_of(sandbox, doc)
    order["paid"] += amount
    sandbox.store.save(order)


def announce(sandbox: Sandbox, doc: Doc) -> None:
    """Send a callback about a transaction as it is now."""
    callbacks.of_transaction(sandbox, render(sandbox, doc), order_of(sandbox, doc)["notification_url"])


def save(sandbox: Sandbox, doc: Doc) -> None:
    """Store a change of a transaction, with its moment."""
    doc["_updated"] = sandbox.clock.exact()
    sandbox.store.save(doc)


def payers(doc: Doc) -> str:
    """Return the book of those who pay like this: payers/card, payers/wallet or payers/aggregator."""
    return f"payers/{doc['source']['type']}"


def by_number(sandbox: Sandbox, number: int | str) -> Doc:
    """Return a transaction by its number. Raises 404."""
    return sandbox.find("transaction", f"transaction_{number}")


def order_of(sandbox: Sandbox, doc: Doc) -> Doc:
    """Return the order of a transaction."""
    return sandbox.find("order", doc["order"])


def last_of(sandbox: Sandbox, order: Doc) -> Doc | None:
    """Return the newest transaction of an order, be it a payment or a refund."""
    found = sandbox.store.find("transaction", parent=order["id"], newest_first=True, limit=1)
    return found[0] if found else None


def all_of(sandbox: Sandbox, order: Doc) -> list[Doc]:
    """Return all transactions of an order, the newest first."""
    return sandbox.store.find("transaction", parent=order["id"], newest_first=True)


def is_settled(doc: Doc) -> bool:
    """Return whether the money of a transaction was sent to the merchant's bank."""
    return doc["settlement"] is not None


def render(sandbox: Sandbox, doc: Doc) -> Doc:
    """Return a transaction as the API answers it and callbacks carry it."""
    order = order_of(sandbox, doc)
    kind, child = doc["kind"], doc["parent"] is not None
    return {
        "id": doc["number"],
        "pending": doc["status"] == PENDING,
        "amount_cents": doc["amount"],
        "success": doc["status"] == APPROVED,
        "is_auth": kind == AUTH,
        "is_capture": kind == CAPTURE,
        "is_standalone_payment": not child,
        "is_voided": doc["voided"],
        # Whether a part that was refunded sets the flag is not known; the amount beside it is.
        "is_refunded": doc["refunded"] > 0,
        "is_3d_secure": doc["secure"],
        "integration_id": doc["integration"],
        "profile_id": integrations.MERCHANT,
        "has_parent_transaction": child,
        "order": orders.shown(order),
        "created_at": times.written(doc["_moment"]),
        "transaction_processed_callback_responses": [],
        "currency": CURRENCY,
        "source_data": {**doc["source"], "tenure": None},
        "api_source": "IFRAME" if order["intention"] is None else "OTHER",
        "terminal_id": None,
        "merchant_commission": 0,
        "accept_fees": doc["fee"] + doc["vat"],
        "installment": None,
        "discount_details": [],
        "is_void": kind == VOID,
        "is_refund": kind == REFUND,
        "data": _data(doc),
        "is_hidden": False,
        "payment_key_claims": _claims(doc, order),
        "error_occured": doc["broken"],
        "is_live": False,
        "other_endpoint_reference": None,
        "refunded_amount_cents": doc["refunded"],
        "source_id": -1,
        "is_captured": doc["captured"] > 0,
        "captured_amount": doc["captured"],
        "merchant_staff_tag": None,
        "updated_at": times.written(doc["_updated"]),
        "is_settled": is_settled(doc),
        "bill_balanced": False,
        "is_bill": False,
        "owner": integrations.OWNER,
        "parent_transaction": doc["parent"],
    }


def _data(doc: Doc) -> Doc:
    data = {
        "message": doc["message"],
        "txn_response_code": doc["code"],
        "acq_response_code": "00" if doc["status"] == APPROVED else None,
        "gateway_integration_pk": doc["integration"],
        "amount": doc["amount"],
        "currency": CURRENCY,
    }
    return data if doc["bill_reference"] is None else {**data, "bill_reference": doc["bill_reference"]}


def _claims(doc: Doc, order: Doc) -> Doc:
    return {
        "extra": {**order["extras"], "merchant_order_id": order["reference"]},
        "user_id": integrations.OWNER,
        "currency": CURRENCY,
        "order_id": order["number"],
        "amount_cents": order["amount"],
        "billing_data": order["billing"],
        "integration_id": doc["integration"],
        "notification_url": order["notification_url"],
        "redirect_url": order["redirection_url"],
        "next_payment_intention": order["intention"],
    }
