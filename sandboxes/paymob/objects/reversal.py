"""Refunds, voids and captures: each is a transaction of its own, whose parent is the payment that it changes.

Without an idempotency key a repeated call is a second refund. Callbacks are sent about the child and the parent.
"""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import cards, errors, integrations, times
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.objects import transaction
from sandboxes.paymob.sandbox import Sandbox
from sandboxes.paymob.settings import DAY

CAPTURE_WITHIN = 14 * DAY


def refund(sandbox: Sandbox, paid: Doc, amount: int) -> Doc:
    """Give a part or all of a payment back, as often as something is left. Raises 400."""
    if paid["kind"] not in (transaction.PAYMENT, transaction.CAPTURE) or paid["status"] != transaction.APPROVED:
        raise errors.message(400, "Only successful payments can be refunded.")
    if integrations.by_id(paid["integration"]).kind == "kiosk":
        raise errors.message(400, "Refund is not supported for this payment method.")
    if paid["voided"]:
        raise errors.message(400, "The transaction was voided.")
    left = paid["amount"] - paid["refunded"]
    if amount > left:
        raise errors.field("amount_cents", f"Full amount has been refunded or exceeds what is left ({left}).")
    child = _child(sandbox, paid, transaction.REFUND, amount)
    if _refund_outcome(paid) == "declined":
        transaction.decline(sandbox, child, "DECLINED", "The bank does not accept the refund")
        return child
    paid["refunded"] += amount
    sandbox.journal.post(
        "refund", child["id"], CURRENCY, (transaction.UNSETTLED, -amount), (transaction.payers(paid), amount)
    )
    return _done(sandbox, child, paid)


def void(sandbox: Sandbox, paid: Doc) -> Doc:
    """Cancel a card payment of today that is not settled, with Paymob's fee, or an authorization. Raises 400."""
    if paid["status"] != transaction.APPROVED or paid["kind"] not in (transaction.PAYMENT, transaction.AUTH):
        raise errors.message(400, "Only successful payments can be voided.")
    if not paid["_card"]:
        raise errors.message(400, "Void is supported for card payments only.")
    if paid["voided"] or paid["refunded"] or paid["captured"]:
        raise errors.message(400, "The transaction was voided, refunded or captured already.")
    is_payment = paid["kind"] == transaction.PAYMENT
    is_today = times.day(paid["_moment"]) == times.day(sandbox.clock.exact())
    if is_payment and (transaction.is_settled(paid) or not is_today):
        raise errors.message(400, "The transaction can no longer be voided; refund it.")
    child = _child(sandbox, paid, transaction.VOID, paid["amount"])
    paid["voided"] = True
    if is_payment:
        amount, fee, vat = paid["amount"], paid["fee"], paid["vat"]
        sandbox.journal.post(
            "void", child["id"], CURRENCY,
            (transaction.payers(paid), amount), (transaction.UNSETTLED, fee + vat - amount),
            (transaction.FEES, -fee), (transaction.VAT, -vat),
        )  # fmt: skip
    return _done(sandbox, child, paid)


def capture(sandbox: Sandbox, authorized: Doc, amount: int) -> Doc:
    """Take a part or all of an authorization, once, within two weeks. Raises 400."""
    if authorized["kind"] != transaction.AUTH or authorized["status"] != transaction.APPROVED:
        raise errors.message(400, "Only authorizations can be captured.")
    if authorized["voided"] or authorized["captured"]:
        raise errors.message(400, "The transaction was voided or captured already.")
    if authorized["_moment"] + CAPTURE_WITHIN < sandbox.clock.exact():
        raise errors.message(400, "The authorization has expired.")
    if amount > authorized["amount"]:
        raise errors.field("amount_cents", "The amount exceeds what was authorized.")
    child = _child(sandbox, authorized, transaction.CAPTURE, amount)
    transaction.collect(sandbox, child, amount)
    authorized["captured"] = amount
    return _done(sandbox, child, authorized)


def _child(sandbox: Sandbox, parent: Doc, kind: str, amount: int) -> Doc:
    return transaction.create(
        sandbox, transaction.order_of(sandbox, parent), kind, amount, parent["integration"], parent["source"],
        parent=parent["number"], _card=parent["_card"],
    )  # fmt: skip


def _refund_outcome(paid: Doc) -> str:
    return cards.by_number(paid["_card"]).refund if paid["_card"] else "approved"


def _done(sandbox: Sandbox, child: Doc, parent: Doc) -> Doc:
    child |= {"status": transaction.APPROVED, "code": "APPROVED", "message": "Approved"}
    for doc in (child, parent):
        transaction.save(sandbox, doc)
        transaction.announce(sandbox, doc)
    return child
