"""Top-ups: the platform's own money, moved from its bank to its balance."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction
from sandboxes.stripe.sandbox import Sandbox


def create(sandbox: Sandbox, account: str, given: Doc) -> Doc:
    """Ask a bank for money, which arrives as late as a payout does."""
    now, wait = sandbox.clock.now(), sandbox.settings.payout_after
    topup: Doc = {
        "id": sandbox.ids.new("tu_1"),
        "object": "topup",
        "amount": given["amount"],
        "balance_transaction": None,
        "created": now,
        "currency": given["currency"],
        "description": given.get("description"),
        "expected_availability_date": int(now + wait),
        "initiated_by": "user",
        "livemode": False,
        "metadata": given["metadata"],
        "statement_descriptor": given.get("statement_descriptor"),
        "status": "pending",
        "transfer_group": given.get("transfer_group"),
    }
    sandbox.add(topup, account)
    sandbox.clock.schedule("topup.arrive", topup["id"], wait)
    events.emit(sandbox, "topup.created", topup)
    return topup


def book(account: str) -> str:
    """Return the book of the bank that an account is topped up from."""
    return f"topups/{account}"


def arrive(sandbox: Sandbox, ident: str) -> None:
    """Add the money of a pending top-up to the available balance."""
    topup = sandbox.find("topup", ident)
    if topup["status"] == "pending":
        line = _move(sandbox, topup, "topup", topup["amount"])
        _change(sandbox, topup, "topup.succeeded", status="succeeded", balance_transaction=line["id"])
        sandbox.clock.schedule("refunds.retry", sandbox.store.account_of(ident), 0)


def fail(sandbox: Sandbox, topup: Doc, code: str) -> Doc:
    """Fail a pending top-up; one that arrived is reversed, and its money leaves the balance again."""
    if topup["status"] == "pending":
        message = "The bank refused the top-up."
        return _change(sandbox, topup, "topup.failed", status="failed", failure_code=code, failure_message=message)
    _move(sandbox, topup, "topup_reversal", -topup["amount"])
    return _change(sandbox, topup, "topup.reversed", status="reversed")


def cancel(sandbox: Sandbox, topup: Doc) -> Doc:
    """Cancel a pending top-up. Raises 400."""
    if topup["status"] != "pending":
        raise refused(f"Top-ups can only be canceled while they are pending; this one is {topup['status']}.")
    return _change(sandbox, topup, "topup.canceled", status="canceled")


def _move(sandbox: Sandbox, topup: Doc, kind: str, amount: int) -> Doc:
    account = sandbox.store.account_of(topup["id"])
    return balance_transaction.record(
        sandbox, account, kind, source=topup["id"], amount=amount, currency=topup["currency"],
        counter=((book(account), -amount),), description=topup["description"],
    )  # fmt: skip


def _change(sandbox: Sandbox, topup: Doc, event: str, **changed: object) -> Doc:
    before = sandbox.render(topup)
    topup |= changed
    sandbox.store.save(topup)
    events.emit(sandbox, event, topup, before=before)
    return topup
