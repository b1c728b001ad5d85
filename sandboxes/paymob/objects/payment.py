"""How a payer pays: by card with or without 3-D Secure, by a saved card, by a mobile wallet, in cash at a kiosk."""

from __future__ import annotations

import re

from sandboxes.kit.documents import Doc
from sandboxes.paymob import cards, errors
from sandboxes.paymob.cards import Card
from sandboxes.paymob.objects import card_token, payment_key, transaction
from sandboxes.paymob.sandbox import Sandbox

FIRST_BILL = 60_000_001
PHONE = re.compile(r"01[0-9]{9}")


def by_card(sandbox: Sandbox, key: Doc, card: Card, *, save: bool = False) -> Doc:
    """Pay by card. The transaction is pending while the bank asks for a code. Raises 400 when the order is paid."""
    integration = payment_key.integration_of(key)
    source = {"pan": card.number[-4:], "type": "card", "sub_type": card.brand}
    kind = transaction.PAYMENT if integration.captures else transaction.AUTH
    asks = card.secure and integration.secure
    doc = transaction.create(
        sandbox, _unpaid(sandbox, key), kind, key["amount"], integration.ident, source,
        secure=asks, _card=card.number, _save=save,
    )  # fmt: skip
    if asks:
        return _challenged(sandbox, doc)
    _decide(sandbox, doc)
    return doc


def by_token(sandbox: Sandbox, key: Doc, token: str) -> Doc:
    """Pay by a saved card. Raises 400."""
    saved = card_token.by_token(sandbox, token)
    if saved is None:
        raise errors.detail(400, "The card token is not known.")
    return by_card(sandbox, key, cards.by_number(saved["_card"]))


def by_wallet(sandbox: Sandbox, key: Doc, phone: str) -> Doc:
    """Begin to pay by a mobile wallet, which asks its owner for a code. Raises 400."""
    if not PHONE.fullmatch(phone):
        raise errors.detail(400, "Enter a mobile number of eleven digits.")
    source = {"pan": phone, "type": "wallet", "sub_type": "wallet"}
    order, integration = _unpaid(sandbox, key), payment_key.integration_of(key).ident
    doc = transaction.create(sandbox, order, transaction.PAYMENT, key["amount"], integration, source)
    return _challenged(sandbox, doc)


def at_kiosk(sandbox: Sandbox, key: Doc) -> Doc:
    """Issue the reference that is paid in cash at a kiosk later, and send the pending transaction."""
    bill = sandbox.ids.number("bill", FIRST_BILL)
    source = {"pan": None, "type": "aggregator", "sub_type": "AGGREGATOR"}
    order, integration = _unpaid(sandbox, key), payment_key.integration_of(key).ident
    doc = transaction.create(
        sandbox, order, transaction.PAYMENT, key["amount"], integration, source, bill_reference=bill
    )
    transaction.announce(sandbox, doc)
    return doc


def answer(sandbox: Sandbox, doc: Doc, *, passed: bool) -> None:
    """End the bank's or the wallet's question, or a kiosk's bill. What is not pending stays as it is."""
    if doc["status"] != transaction.PENDING:
        return
    doc["_challenge"] = None
    if passed:
        _decide(sandbox, doc)
    elif doc["_card"]:
        transaction.decline(sandbox, doc, "AUTHENTICATION_FAILED", "3-D Secure authentication failed")
    elif doc["bill_reference"]:
        transaction.decline(sandbox, doc, "EXPIRED", "The bill was not paid")
    else:
        transaction.decline(sandbox, doc, "WRONG_PIN", "Wrong MPIN or OTP")


def challenged(sandbox: Sandbox, number: str, token: str) -> Doc | None:
    """Return the transaction whose question has this token, while it is asked."""
    doc = sandbox.store.get(f"transaction_{number}", "transaction")
    return doc if doc and doc["_challenge"] == token and doc["status"] == transaction.PENDING else None


def challenge_path(doc: Doc) -> str:
    """Return the path of the page that asks the payer of a pending transaction."""
    return f"/unifiedcheckout/verify/{doc['number']}/{doc['_challenge']}"


def _unpaid(sandbox: Sandbox, key: Doc) -> Doc:
    payment_key.check(sandbox, key)
    order = sandbox.find("order", key["order"])
    if order["paid"]:
        raise errors.detail(400, "This order is paid already.")
    return order


def _challenged(sandbox: Sandbox, doc: Doc) -> Doc:
    doc["_challenge"] = sandbox.ids.new("", 24)
    return sandbox.store.save(doc)


def _decide(sandbox: Sandbox, doc: Doc) -> None:
    if doc["bill_reference"]:
        # A kiosk takes the money of every bill, also of an order that was paid otherwise meanwhile.
        transaction.approve(sandbox, doc)
    elif transaction.order_of(sandbox, doc)["paid"]:
        transaction.decline(sandbox, doc, "DUPLICATE", "This order is paid already")
    elif doc["_card"]:
        _decide_card(sandbox, doc, cards.by_number(doc["_card"]))
    elif doc["source"]["pan"] == cards.WALLET:
        transaction.approve(sandbox, doc)
    else:
        transaction.decline(sandbox, doc, "UNREGISTERED", "This number has no wallet")


def _decide_card(sandbox: Sandbox, doc: Doc, card: Card) -> None:
    if not card.approves:
        transaction.decline(sandbox, doc, card.code, card.message, broken=card.broken)
        return
    transaction.approve(sandbox, doc)
    if doc["_save"]:
        card_token.create(sandbox, doc)
