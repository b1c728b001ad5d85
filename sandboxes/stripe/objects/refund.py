"""Refunds: money back to the card, immediate, delayed, or failing after success."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import currencies, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction, charge, dispute, early_fraud_warning, exchange
from sandboxes.stripe.sandbox import Sandbox

LATER_SECONDS = 1


def create(sandbox: Sandbox, account: str, paid: Doc, given: Doc) -> Doc:
    """Refund a charge, all or part. Raises 400."""
    amount = _amount(sandbox, paid, given.get("amount"))
    refund: Doc = {
        "id": sandbox.ids.new("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": paid["id"],
        "created": sandbox.clock.now(),
        "currency": paid["currency"],
        "customer": paid.get("customer"),
        "destination_details": {"type": "card", "card": {"reference_type": None, "type": "refund"}},
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": given.get("metadata") or {},
        "payment_intent": paid["payment_intent"],
        "payment_method": paid["payment_method"],
        "pending_reason": None,
        "reason": given.get("reason"),
        "status": "pending",
    }
    short = _short(sandbox, account, paid, amount)
    if short and sandbox.settings.refund_shortfall == "error":
        raise refused(
            "You have insufficient funds in your Stripe account to refund this charge.", code="balance_insufficient"
        )
    before = sandbox.render(paid)
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] == paid["amount_captured"]
    sandbox.store.save(paid)
    sandbox.add(refund, account, parent=paid["id"])
    if short:
        refund["pending_reason"] = "insufficient_funds"
        sandbox.store.save(refund)
    else:
        _pay_back(sandbox, account, refund, paid)
    events.emit(sandbox, "refund.created", refund)
    events.emit(sandbox, "charge.refunded", paid, before=before)
    early_fraud_warning.reassess(sandbox, paid)
    dispute.close_inquiries(sandbox, paid)
    return refund


def _amount(sandbox: Sandbox, paid: Doc, asked: int | None) -> int:
    if charge.card_of(paid) is None:
        raise refused(f"{paid['id']} came by a transfer; reverse the transfer instead.", param="charge")
    if paid["status"] != "succeeded":
        raise refused(f"Charge {paid['id']} was not successful and cannot be refunded.", code="charge_not_refundable")
    if not paid["captured"]:
        raise refused(
            f"Charge {paid['id']} has not been captured; cancel its PaymentIntent to let the money go.",
            param="charge",
        )
    if dispute.contested(sandbox, paid):
        raise refused(f"Charge {paid['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge.unrefunded(paid)
    if left <= 0:
        raise refused(f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if asked is None else asked
    if amount > left:
        currency = paid["currency"]
        raise refused(
            f"Refund amount ({currencies.shown(amount, currency)}) is greater than unrefunded amount on charge"
            f" ({currencies.shown(left, currency)})",
            param="amount",
        )
    return amount


def _short(sandbox: Sandbox, account: str, paid: Doc, amount: int) -> bool:
    """Return whether the balance does not cover a refund; settled charges are refunded from the available balance."""
    inward = balance_transaction.of(sandbox, paid, "_balance_transaction")
    if inward["status"] == "pending":
        return False
    needed = exchange.settled(sandbox, account, amount, paid["currency"], like=inward)
    return balance_transaction.available(sandbox, account, needed.currency) < needed.amount


def _pay_back(sandbox: Sandbox, account: str, refund: Doc, paid: Doc) -> None:
    inward = balance_transaction.of(sandbox, paid, "_balance_transaction")
    # A charge that has not settled is refunded from the pending balance, with the charge's own date.
    due = inward["available_on"] if inward["status"] == "pending" else None
    transaction = balance_transaction.record(
        sandbox, account, "refund", source=refund["id"], amount=-refund["amount"], currency=refund["currency"],
        counter=((charge.card_book(paid), refund["amount"]),), available_on=due,
        description=f"REFUND FOR CHARGE ({paid['description'] or paid['id']})",
        settled=exchange.settled(sandbox, account, -refund["amount"], refund["currency"], like=inward),
    )  # fmt: skip
    refund["balance_transaction"] = transaction["id"]
    refund["pending_reason"] = None
    card = charge.card_of(paid)
    if card and card.refund == "later":
        refund["pending_reason"] = "processing"
        sandbox.clock.schedule("refund.succeed", refund["id"], LATER_SECONDS)
    else:
        refund["status"] = "succeeded"
        if card and card.refund == "fails":
            sandbox.clock.schedule("refund.fail", refund["id"], LATER_SECONDS)
    sandbox.store.save(refund)


def retry(sandbox: Sandbox, account: str) -> None:
    """Execute the refunds that waited for funds, oldest first, while the balance covers them."""
    waiting = sandbox.store.find(
        "refund",
        account=account,
        where={"pending_reason": "insufficient_funds"},
        conditions=((balance_transaction.PENDING, 0),),
    )
    for refund in waiting:
        paid = sandbox.find("charge", refund["charge"])
        if not _short(sandbox, account, paid, refund["amount"]):
            before = sandbox.render(refund)
            _pay_back(sandbox, account, refund, paid)
            announce(sandbox, refund, before)


def succeed(sandbox: Sandbox, ident: str) -> None:
    """Mark a pending refund as succeeded."""
    refund = sandbox.find("refund", ident)
    if refund["status"] == "pending":
        before = sandbox.render(refund)
        refund |= {"status": "succeeded", "pending_reason": None}
        sandbox.store.save(refund)
        announce(sandbox, refund, before)


def fail_after_success(sandbox: Sandbox, ident: str) -> None:
    """Fail a refund that had succeeded."""
    refund = sandbox.find("refund", ident)
    if refund["status"] == "succeeded":
        fail(sandbox, refund, "expired_or_canceled_card")


def fail(sandbox: Sandbox, refund: Doc, reason: str) -> Doc:
    """Fail a refund: the card does not accept the money, and the account has it again."""
    before = sandbox.render(refund)
    paid = sandbox.find("charge", refund["charge"])
    if refund["balance_transaction"]:
        account, amount = sandbox.store.account_of(refund["id"]), refund["amount"]
        out = balance_transaction.of(sandbox, refund)
        back = balance_transaction.record(
            sandbox, account, "refund_failure", source=refund["id"], amount=amount, currency=refund["currency"],
            counter=((charge.card_book(paid), -amount),),
            settled=exchange.settled(sandbox, account, amount, refund["currency"], like=out),
        )  # fmt: skip
        refund["failure_balance_transaction"] = back["id"]
    refund |= {"status": "failed", "failure_reason": reason, "pending_reason": None}
    sandbox.store.save(refund)
    _give_back(sandbox, refund, paid)
    events.emit(sandbox, "refund.failed", refund, before=before)
    announce(sandbox, refund, before)
    return refund


def cancel(sandbox: Sandbox, refund: Doc) -> Doc:
    """Cancel a refund that waits for funds. Raises 400."""
    if refund["status"] != "pending" or refund["pending_reason"] != "insufficient_funds":
        raise refused("Only refunds that wait for funds can be canceled.")
    before = sandbox.render(refund)
    refund |= {"status": "canceled", "pending_reason": None}
    sandbox.store.save(refund)
    _give_back(sandbox, refund, sandbox.find("charge", refund["charge"]))
    announce(sandbox, refund, before)
    return refund


def _give_back(sandbox: Sandbox, refund: Doc, paid: Doc) -> None:
    """Subtract a refund that failed from what was refunded, so that the amount can be refunded again."""
    before = sandbox.render(paid)
    paid["amount_refunded"] -= refund["amount"]
    paid["refunded"] = False
    sandbox.store.save(paid)
    events.emit(sandbox, "charge.updated", paid, before=before)


def announce(sandbox: Sandbox, refund: Doc, before: Doc) -> None:
    """Emit both events of a changed refund."""
    for kind in ("refund.updated", "charge.refund.updated"):
        events.emit(sandbox, kind, refund, before=before)
