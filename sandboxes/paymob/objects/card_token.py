"""Saved cards: a token that pays again, which only the callback of type TOKEN carries."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import callbacks, cards, integrations, times
from sandboxes.paymob.objects import transaction
from sandboxes.paymob.sandbox import Sandbox

FIRST = 50_001


def create(sandbox: Sandbox, paid: Doc) -> Doc:
    """Save the card of an approved payment, and send its token."""
    order = transaction.order_of(sandbox, paid)
    number = sandbox.ids.number("card_token", FIRST)
    doc: Doc = {
        "id": f"card_token_{number}",
        "object": "card_token",
        "created": sandbox.clock.now(),
        "number": number,
        "token": sandbox.ids.new("", 56).lower(),
        "order": order["id"],
        "email": order["billing"].get("email"),
        "intention": order["intention"],
        "_card": paid["_card"],
        "_moment": sandbox.clock.exact(),
    }
    sandbox.keep(doc, parent=doc["token"])
    callbacks.of_card_token(sandbox, render(sandbox, doc), order["notification_url"])
    return doc


def by_token(sandbox: Sandbox, token: str) -> Doc | None:
    """Return the saved card of a token."""
    found = sandbox.store.find("card_token", parent=token, limit=1)
    return found[0] if found else None


def render(sandbox: Sandbox, doc: Doc) -> Doc:
    """Return a saved card as its callback carries it."""
    card = cards.by_number(doc["_card"])
    return {
        "id": doc["number"],
        "token": doc["token"],
        "masked_pan": f"xxxx-xxxx-xxxx-{card.number[-4:]}",
        "merchant_id": integrations.MERCHANT,
        "card_subtype": card.brand,
        "created_at": times.written(doc["_moment"]),
        "email": doc["email"],
        "order_id": str(sandbox.find("order", doc["order"])["number"]),
        "user_added": False,
        "next_payment_intention": doc["intention"],
    }
