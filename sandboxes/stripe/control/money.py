"""The sandbox's own record of all money, for comparison with another ledger."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.stripe.objects import balance_transaction, charge, topup
from sandboxes.stripe.sandbox import Sandbox


async def read(control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the record."""
    return record(control.sandbox)


def record(sandbox: Sandbox) -> Doc:
    """Return balances per account, what cards paid, what banks got, Stripe's fees, and the sums of the journal."""
    books = sandbox.journal.balances()
    return {
        "platform": sandbox.platform,
        "sums": sandbox.journal.sums(),
        "accounts": _accounts(books),
        "cards": _cards(sandbox),
        "bank_deposits": _deposits(sandbox, books),
        "top_ups": _top_ups(books),
        "stripe": {book.removeprefix("stripe/"): sums for book, sums in books.items() if book.startswith("stripe/")},
        "charges": _charges(sandbox),
    }


def _accounts(books: Doc) -> Doc:
    accounts: Doc = {}
    for book, sums in books.items():
        owner, _, column = book.partition("/")
        if owner.startswith("acct_"):
            accounts.setdefault(owner, {"available": {}, "pending": {}, "payouts": {}})[column] = sums
    return accounts


def _deposits(sandbox: Sandbox, books: Doc) -> Doc:
    """What arrived in banks, per connected account and currency."""
    deposits: Doc = {}
    with sandbox.store.transaction():
        for payout in sandbox.store.find("payout", where={"status": "paid"}):
            owner = sandbox.store.account_of(payout["id"])
            sums = deposits.setdefault(owner, {})
            sums[payout["currency"]] = sums.get(payout["currency"], 0) + payout["amount"]
    held: dict[str, int] = {}
    for book, sums in books.items():
        if book.startswith("bank/"):
            for currency, amount in sums.items():
                held[currency] = held.get(currency, 0) + amount
    paid: dict[str, int] = {}
    for sums in deposits.values():
        for currency, amount in sums.items():
            paid[currency] = paid.get(currency, 0) + amount
    if {c: a for c, a in held.items() if a} != {c: a for c, a in paid.items() if a}:
        raise AssertionError(f"the banks' books {held} differ from the paid payouts {paid}")
    return deposits


def _top_ups(books: Doc) -> Doc:
    """What banks paid in, per account and currency."""
    prefix = topup.book("")
    return {
        book.removeprefix(prefix): {currency: -amount for currency, amount in sums.items()}
        for book, sums in books.items()
        if book.startswith(prefix)
    }


def _charges(sandbox: Sandbox) -> list[Doc]:
    with sandbox.store.transaction():
        return [
            {
                "id": doc["id"],
                "payment_intent": doc["payment_intent"],
                "card": charge.card_book(doc).removeprefix("card/"),
                "currency": doc["currency"],
                "captured": doc["amount_captured"],
                "refunded": doc["amount_refunded"],
                "settled": balance_transaction.of(sandbox, doc, "_balance_transaction")["amount"],
                "metadata": doc["metadata"],
                "disputed": doc["disputed"],
            }
            for doc in sandbox.store.find("charge", account=sandbox.platform)
            if doc["captured"] and doc.get("_card")
        ]


def _cards(sandbox: Sandbox) -> Doc:
    """What each card was charged and given back: {fingerprint: {currency: {charged, refunded}}}."""
    return {
        card: {currency: {"charged": charged, "refunded": refunded} for currency, (charged, refunded) in sums.items()}
        for card, sums in sandbox.journal.turnover("card/", "charge").items()
    }


ENDPOINTS = (Endpoint("GET", "/_sandbox/money", read),)
