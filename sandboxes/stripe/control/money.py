"""The sandbox's own record of all money, for comparison with another ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandboxes.stripe.box import Box
from sandboxes.stripe.control import Endpoint
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.objects import charge

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control


async def read(control: Control, _given: Doc) -> Doc:
    """Return the record."""
    return record(control.box)


def record(box: Box) -> Doc:
    """Return balances per account, what cards paid, what banks got, Stripe's fees, and the sums of the journal."""
    books = box.money.balances()
    return {
        "platform": box.platform,
        "sums": box.money.sums(),
        "accounts": _accounts(books),
        "cards": box.money.cards(),
        "bank_deposits": _deposits(box, books),
        "stripe": {book.removeprefix("stripe/"): sums for book, sums in books.items() if book.startswith("stripe/")},
        "charges": _charges(box),
    }


def _accounts(books: Doc) -> Doc:
    accounts: Doc = {}
    for book, sums in books.items():
        owner, _, column = book.partition("/")
        if owner.startswith("acct_"):
            accounts.setdefault(owner, {"available": {}, "pending": {}, "payouts": {}})[column] = sums
    return accounts


def _deposits(box: Box, books: Doc) -> Doc:
    """What arrived in banks, per connected account and currency."""
    deposits: Doc = {}
    with box.store.transaction():
        for payout in box.store.find("payout", where={"status": "paid"}):
            owner = box.store.account_of(payout["id"])
            sums = deposits.setdefault(owner, {})
            sums[payout["currency"]] = sums.get(payout["currency"], 0) + payout["amount"]
    held: dict[str, int] = {}
    for book, sums in books.items():
        if book.startswith("bank/"):
            for currency, amount in sums.items():
                held[currency] = held.get(currency, 0) + amount
    told: dict[str, int] = {}
    for sums in deposits.values():
        for currency, amount in sums.items():
            told[currency] = told.get(currency, 0) + amount
    if {c: a for c, a in held.items() if a} != {c: a for c, a in told.items() if a}:
        raise AssertionError(f"the banks' books {held} differ from the paid payouts {told}")
    return deposits


def _charges(box: Box) -> list[Doc]:
    with box.store.transaction():
        return [
            {
                "id": doc["id"],
                "payment_intent": doc["payment_intent"],
                "card": charge.card_book(doc).removeprefix("card/"),
                "currency": doc["currency"],
                "captured": doc["amount_captured"],
                "refunded": doc["amount_refunded"],
                "metadata": doc["metadata"],
                "disputed": doc["disputed"],
            }
            for doc in box.store.find("charge", account=box.platform)
            if doc["captured"] and doc.get("_card")
        ]


async def journal(control: Control, given: Doc) -> Doc:
    """Return the entries of the journal, all or those of `object`."""
    return {"entries": control.box.money.entries(given.get("object"))}


async def objects(control: Control, given: Doc, kind: str) -> Doc:
    """Return every object of a kind."""
    return {"data": every(control.box, kind)}


def every(box: Box, kind: str) -> list[Doc]:
    """Return every object of a kind, whatever its account, as the API shows it: the effects that there are."""
    with box.store.transaction():
        found = box.store.find(kind)
        return [{"account": box.store.account_of(doc["id"]), "object": box.render(doc)} for doc in found]


ROUTES: list[Endpoint] = [
    ("GET", "/_sandbox/money", read),
    ("GET", "/_sandbox/money/journal", journal),
    ("GET", "/_sandbox/objects/{kind}", objects),
]
