"""Settlements: Paymob sends what it collected to the merchant's bank, in batches, less its fees and the refunds."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.objects import transaction
from sandboxes.paymob.sandbox import Sandbox

BANK = "bank/merchant"
FIRST = 80_001


def settle(sandbox: Sandbox) -> Doc | None:
    """Send all that is collected to the bank; None when refunds have used it up, until more is collected."""
    amount = sandbox.journal.balance(transaction.UNSETTLED, CURRENCY)
    if amount <= 0:
        return None
    number = sandbox.ids.number("settlement", FIRST)
    included = [doc for doc in sandbox.store.find("transaction", where={"settlement": None}) if _moved(doc)]
    doc: Doc = {
        "id": f"settlement_{number}",
        "object": "settlement",
        "created": sandbox.clock.now(),
        "number": number,
        "amount": amount,
        "transactions": [one["number"] for one in included],
    }
    sandbox.keep(doc)
    for one in included:
        sandbox.store.save({**one, "settlement": doc["id"]})
    sandbox.journal.post("settlement", doc["id"], CURRENCY, (transaction.UNSETTLED, -amount), (BANK, amount))
    return doc


def _moved(doc: Doc) -> bool:
    return bool(doc["status"] == transaction.APPROVED and doc["kind"] != transaction.AUTH)
