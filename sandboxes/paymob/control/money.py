"""The sandbox's own record of all money, for comparison with another ledger. All amounts are piastres."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.objects import payout, settlement, topup, transaction
from sandboxes.paymob.sandbox import Sandbox


async def read(control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the record."""
    return record(control.sandbox)


def record(sandbox: Sandbox) -> Doc:
    """Return all balances, what moved by kind, and every transaction, settlement, top-up and payout.

    `sum` is that of all books and always zero. `moved` has what entered each book by each kind of entry, signed.
    """
    books = {book: sums.get(CURRENCY, 0) for book, sums in sandbox.journal.balances().items()}
    return {
        "currency": CURRENCY,
        "sum": sum(books.values()),
        "books": books,
        "unsettled": books.get(transaction.UNSETTLED, 0),
        "bank": books.get(settlement.BANK, 0),
        "budget": books.get(topup.BUDGET, 0),
        "in_transit": books.get(payout.IN_TRANSIT, 0),
        "fees": {
            name: books.get(book, 0)
            for name, book in (
                ("collecting", transaction.FEES), ("collecting_vat", transaction.VAT),
                ("payouts", payout.FEES), ("payouts_vat", payout.VAT),
            )
        },
        "moved": _moved(sandbox),
        **_objects(sandbox),
    }  # fmt: skip


def _moved(sandbox: Sandbox) -> Doc:
    moved: Doc = {}
    for entry in sandbox.journal.entries():
        for leg in entry["legs"]:
            sums = moved.setdefault(entry["kind"], {})
            sums[leg["book"]] = sums.get(leg["book"], 0) + leg["amount"]
    return moved


def _objects(sandbox: Sandbox) -> Doc:
    with sandbox.store.transaction():
        find = sandbox.store.find
        return {
            "transactions": [_transaction(sandbox, doc) for doc in find("transaction")],
            "settlements": [_public(doc, "id", "amount", "transactions", "created") for doc in find("settlement")],
            "topups": [_public(doc, "number", "amount", "status", "created") for doc in find("topup")],
            "payouts": [_payout(doc) for doc in find("payout")],
        }


def _transaction(sandbox: Sandbox, doc: Doc) -> Doc:
    order = transaction.order_of(sandbox, doc)
    names = (
        "number", "kind", "status", "amount", "fee", "vat", "refunded", "captured", "voided", "settlement", "parent",
    )  # fmt: skip
    return _public(doc, *names) | {"order": order["number"], "reference": order["reference"]}


def _payout(doc: Doc) -> Doc:
    names = ("id", "issuer", "destination", "status", "code", "amount", "charged", "fees", "vat")
    references = {name: doc["given"].get(name) for name in payout.REFERENCES}
    return _public(doc, *names) | references


def _public(doc: Doc, *names: str) -> Doc:
    return {name: doc[name] for name in names}


ENDPOINTS = (Endpoint("GET", "/_sandbox/money", read),)
