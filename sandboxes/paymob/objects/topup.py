"""Top-ups of the budget: requested by the merchant, and approved by Paymob's staff when the transfer has arrived."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.paymob import times
from sandboxes.paymob.amounts import CURRENCY, pounds
from sandboxes.paymob.objects.settlement import BANK
from sandboxes.paymob.sandbox import Sandbox

BUDGET = "budget/available"
FIRST = 90_001


def request(sandbox: Sandbox, amount: int) -> Doc:
    """Request a top-up, in piastres."""
    number = sandbox.ids.number("topup", FIRST)
    doc: Doc = {
        "id": f"topup_{number}",
        "object": "topup",
        "created": sandbox.clock.now(),
        "number": number,
        "amount": amount,
        "status": "pending",
        "_moment": sandbox.clock.exact(),
    }
    return sandbox.keep(doc)


def decide(sandbox: Sandbox, topup: Doc, *, approved: bool) -> Doc:
    """Approve or reject a top-up; the money comes from the merchant's bank. Raises 409."""
    if topup["status"] != "pending":
        raise ApiError(409, f"the top-up is {topup['status']}")
    topup["status"] = "approved" if approved else "rejected"
    sandbox.store.save(topup)
    if approved:
        amount = topup["amount"]
        sandbox.journal.post("topup", topup["id"], CURRENCY, (BANK, -amount), (BUDGET, amount))
    return topup


def budget(sandbox: Sandbox) -> int:
    """Return what can be paid out, in piastres."""
    return sandbox.journal.balance(BUDGET, CURRENCY)


def render(_sandbox: Sandbox, doc: Doc) -> Doc:
    """Return a top-up as the API answers it."""
    return {
        "id": doc["number"],
        "amount": pounds(doc["amount"]),
        "status": doc["status"],
        "created_at": times.written_by_payouts(doc["_moment"]),
    }
