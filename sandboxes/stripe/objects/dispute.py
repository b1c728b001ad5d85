"""Disputes: money taken back by the card's bank, and how they end."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import currencies, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction, early_fraud_warning, exchange
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.objects import evidence as evidences
from sandboxes.stripe.sandbox import Sandbox

ANSWER_WITHIN = 9 * 86_400
_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "general": "10.4"}
WINNING, LOSING = "winning_evidence", "losing_evidence"


def open_on_charge(sandbox: Sandbox, ident: str) -> None:
    """Open what the test card of a charge triggers: a dispute, an inquiry or an early fraud warning."""
    charge = sandbox.find("charge", ident)
    card = charges.card_of(charge)
    if card is None:
        return
    if card.dispute == "early_fraud_warning":
        early_fraud_warning.create(sandbox, charge)
    else:
        inquiry = card.dispute == "inquiry"
        open_dispute(sandbox, charge, reason="general" if inquiry else card.dispute, inquiry=inquiry)


def contested(sandbox: Sandbox, charge: Doc) -> int:
    """Return how much of a charge its disputes have taken and not returned, in minor units."""
    return sum(_kept(dispute) for dispute in sandbox.store.find("dispute", parent=charge["id"]))


def _kept(dispute: Doc) -> int:
    """Return what the bank has taken with a dispute and not returned."""
    return dispute["amount"] - dispute["_returned"] if "_fee" in dispute else 0


def open_dispute(
    sandbox: Sandbox, charge: Doc, *, reason: str, inquiry: bool = False, amount: int | None = None
) -> Doc:
    """Open a dispute on a charge; an inquiry takes no money yet. Raises 400.

    Without an amount it takes what was not refunded. A bank may also dispute what was, and dispute a charge several
    times, but never more than the charge took.
    """
    if charges.card_of(charge) is None or not charge["captured"]:
        raise refused(f"Charge {charge['id']} took no money from a card, so nobody can dispute it.", param="charge")
    already = contested(sandbox, charge)
    most = charge["amount_captured"] - already
    if most <= 0:
        raise refused(f"Charge {charge['id']} is already disputed.", code="charge_disputed")
    if amount is not None and not 0 < amount <= most:
        raise refused("The amount must be within what the charge took and no other dispute did.", param="amount")
    left = charges.unrefunded(charge) - already
    account = sandbox.store.account_of(charge["id"])
    dispute: Doc = {
        "id": sandbox.ids.new("du_1"),
        "object": "dispute",
        "amount": amount or (left if left > 0 else most),
        "balance_transactions": [],
        "charge": charge["id"],
        "created": sandbox.clock.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": sandbox.clock.now() + ANSWER_WITHIN, "enhanced_eligibility": {}, "has_evidence": False,
            "past_due": False, "submission_count": 0, "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": _CODES.get(reason, "10.4"),
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": charge["payment_method_details"]["card"]["brand"],
                "network_reason_code": _CODES.get(reason, "10.4"),
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }  # fmt: skip
    before = sandbox.render(charge)
    sandbox.add(dispute, account, parent=charge["id"])
    charge["disputed"] = True
    sandbox.store.save(charge)
    sandbox.clock.schedule("dispute.deadline", dispute["id"], ANSWER_WITHIN)
    events.emit(sandbox, "charge.dispute.created", dispute)
    events.emit(sandbox, "charge.updated", charge, before=before)
    early_fraud_warning.reassess(sandbox, charge)
    if not inquiry:
        withdraw(sandbox, dispute)
    return dispute


def withdraw(sandbox: Sandbox, dispute: Doc) -> None:
    """Deduct the disputed amount and Stripe's fee from the balance, in one movement."""
    dispute |= {"_fee": _fee(sandbox, dispute), "_returned": 0}
    _move(sandbox, dispute, -dispute["amount"], fee=dispute["_fee"], words="Chargeback withdrawal for")
    events.emit(sandbox, "charge.dispute.funds_withdrawn", dispute)


def _fee(sandbox: Sandbox, dispute: Doc) -> int:
    """Return the fee in minor units of the settlement's currency; the setting is in hundredths of it."""
    places = currencies.decimals(_charged(sandbox, dispute)["currency"])
    return int(sandbox.settings.dispute_fee * 10**places // 100)


def _move(sandbox: Sandbox, dispute: Doc, amount: int, *, fee: int = 0, words: str, category: str = "dispute") -> None:
    account = sandbox.store.account_of(dispute["id"])
    transaction = balance_transaction.record(
        sandbox, account, "adjustment", source=dispute["id"], amount=amount, currency=dispute["currency"], fee=fee,
        fee_description="Dispute fee", fee_book="stripe/dispute_fees",
        counter=(("stripe/disputes", -amount),), category=category,
        description=f"{words} {dispute['charge']}",
        settled=exchange.settled(sandbox, account, amount, dispute["currency"], like=_charged(sandbox, dispute)),
    )  # fmt: skip
    dispute["balance_transactions"].append(sandbox.render(transaction))
    sandbox.store.save(dispute)


def _charged(sandbox: Sandbox, dispute: Doc) -> Doc:
    """Return the balance transaction of the disputed charge."""
    return balance_transaction.of(sandbox, sandbox.find("charge", dispute["charge"]), "_balance_transaction")


def answer(sandbox: Sandbox, dispute: Doc, evidence: Doc, *, submit: bool) -> Doc:
    """Add evidence, and send it to the bank when asked. Raises 400 for a dispute that is over."""
    if not is_open(dispute) or dispute["status"].endswith("under_review"):
        raise refused(f"This dispute is {dispute['status']}; evidence can no longer be changed.", code="dispute_closed")
    before = sandbox.render(dispute)
    dispute["evidence"] = evidences.merged(sandbox, dispute, evidence)
    details = dispute["evidence_details"]
    details["has_evidence"] = evidences.given(dispute["evidence"])
    if submit and details["has_evidence"]:
        inquiry = dispute["status"].startswith("warning")
        dispute["status"] = "warning_under_review" if inquiry else "under_review"
        details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
        if sandbox.settings.dispute_counter_fee and not inquiry:
            _move(sandbox, dispute, 0, fee=sandbox.settings.dispute_counter_fee, words="Dispute countered fee for")
            dispute["_counter_fee"] = sandbox.settings.dispute_counter_fee
        verdict = {WINNING: "won", LOSING: "lost"}.get(dispute["evidence"].get("uncategorized_text") or "")
        if verdict:
            sandbox.clock.schedule(f"dispute.{verdict}", dispute["id"], 0)
    sandbox.store.save(dispute)
    events.emit(sandbox, "charge.dispute.updated", dispute, before=before)
    return dispute


def is_open(dispute: Doc) -> bool:
    """Return whether a dispute has no outcome yet."""
    return dispute["status"] not in ("won", "lost", "warning_closed", "prevented")


def conclude(sandbox: Sandbox, dispute: Doc, outcome: str, *, return_fee: bool = False, part: int | None = None) -> Doc:
    """Close a dispute as won or lost; a won one returns the amount or a part, and its fee if asked. Raises 400."""
    if not is_open(dispute):
        raise refused(f"This dispute is already closed: {dispute['status']}.", code="dispute_closed")
    before = sandbox.render(dispute)
    inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if inquiry else outcome
    dispute["is_charge_refundable"] = inquiry
    sandbox.store.save(dispute)
    if outcome == "won" and not inquiry:
        _reinstate(sandbox, dispute, return_fee=return_fee, part=part)
    events.emit(sandbox, "charge.dispute.closed", dispute, before=before)
    return dispute


def overturn(sandbox: Sandbox, dispute: Doc, *, return_fee: bool = False, part: int | None = None) -> Doc:
    """Turn a lost dispute into a won one: the bank changes its decision and returns the money. Raises 400."""
    if dispute["status"] != "lost":
        raise refused(f"Only a lost dispute can be overturned; this one is {dispute['status']}.")
    before = sandbox.render(dispute)
    dispute["status"] = "won"
    sandbox.store.save(dispute)
    events.emit(sandbox, "charge.dispute.updated", dispute, before=before)
    _reinstate(sandbox, dispute, return_fee=return_fee, part=part)
    return dispute


def reinstate(sandbox: Sandbox, dispute: Doc, part: int | None) -> Doc:
    """Return money of a dispute that is over and stays as it ended: all that was kept, or a part. Raises 400."""
    if is_open(dispute) or not _kept(dispute):
        raise refused(f"Nothing is kept of this dispute, which is {dispute['status']}.")
    _reinstate(sandbox, dispute, return_fee=False, part=part)
    return dispute


def _reinstate(sandbox: Sandbox, dispute: Doc, *, return_fee: bool, part: int | None = None) -> None:
    kept = _kept(dispute)
    if part is not None and not 0 < part <= kept:
        raise refused("The amount must be within what the bank kept.", param="amount")
    returned = part or kept
    dispute["_returned"] += returned
    # A win returns the fee for countering, and the fee for the dispute itself only in some countries.
    fee = dispute.get("_counter_fee", 0) + (dispute["_fee"] if return_fee else 0)
    _move(sandbox, dispute, returned, fee=-fee, words="Chargeback reversal for",
          category="dispute_reversal")  # fmt: skip
    events.emit(sandbox, "charge.dispute.funds_reinstated", dispute)


def close_inquiries(sandbox: Sandbox, charge: Doc) -> None:
    """Close the open inquiries about a charge that was refunded in full: nothing is left to dispute."""
    for dispute in sandbox.store.find("dispute", parent=charge["id"]) if charge["refunded"] else ():
        if dispute["status"] in ("warning_needs_response", "warning_under_review"):
            conclude(sandbox, dispute, "lost")


def escalate(sandbox: Sandbox, dispute: Doc) -> Doc:
    """Turn an inquiry, also one that was closed, into a chargeback with a new deadline for the response. Raises 400."""
    if not dispute["status"].startswith("warning_"):
        raise refused("Only an inquiry can become a chargeback.")
    charge = sandbox.find("charge", dispute["charge"])
    if dispute["status"] == "warning_closed" and charge["refunded"]:
        raise refused("A full refund has ended this inquiry.", code="dispute_closed")
    if dispute["amount"] > charge["amount_captured"] - contested(sandbox, charge):
        raise refused("Another dispute has taken the money of this charge.", code="charge_disputed")
    before = sandbox.render(dispute)
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    dispute["evidence_details"]["due_by"] = sandbox.clock.now() + ANSWER_WITHIN
    sandbox.clock.cancel("dispute.deadline", dispute["id"])
    sandbox.clock.schedule("dispute.deadline", dispute["id"], ANSWER_WITHIN)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    sandbox.store.save(dispute)
    events.emit(sandbox, "charge.dispute.updated", dispute, before=before)
    withdraw(sandbox, dispute)
    return dispute


def win(sandbox: Sandbox, ident: str) -> None:
    """Close a dispute in the platform's favour."""
    _decide(sandbox, ident, "won")


def lose(sandbox: Sandbox, ident: str) -> None:
    """Close a dispute in the card holder's favour."""
    _decide(sandbox, ident, "lost")


def pass_deadline(sandbox: Sandbox, ident: str) -> None:
    """Close a dispute as lost when nobody answered it in time."""
    dispute = sandbox.find("dispute", ident)
    if dispute["status"].endswith("needs_response"):
        dispute["evidence_details"]["past_due"] = True
        conclude(sandbox, dispute, "lost")


def _decide(sandbox: Sandbox, ident: str, outcome: str) -> None:
    dispute = sandbox.find("dispute", ident)
    if is_open(dispute):
        conclude(sandbox, dispute, outcome)
