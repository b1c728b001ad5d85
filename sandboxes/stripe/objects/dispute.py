"""Disputes: money taken back by the card's bank, and how they end."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import currencies, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.shaping import shape

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
        _warn(sandbox, charge)
    else:
        inquiry = card.dispute == "inquiry"
        open_dispute(sandbox, charge, reason="general" if inquiry else card.dispute, inquiry=inquiry)


def _warn(sandbox: Sandbox, charge: Doc) -> None:
    warning = {
        "id": sandbox.ids.new("issfr_1"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge["id"],
        "created": sandbox.clock.now(),
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    sandbox.add(warning, sandbox.store.account_of(charge["id"]), parent=charge["id"])
    events.emit(sandbox, "radar.early_fraud_warning.created", warning)


def open_dispute(
    sandbox: Sandbox, charge: Doc, *, reason: str, inquiry: bool = False, amount: int | None = None
) -> Doc:
    """Open a dispute on a charge; an inquiry takes no money yet. Raises 400."""
    if charges.card_of(charge) is None or not charge["captured"]:
        raise refused(f"Charge {charge['id']} took no money from a card, so nobody can dispute it.", param="charge")
    if amount is not None and not 0 < amount <= charge["amount_captured"]:
        raise refused("The amount must be within what the charge took.", param="amount")
    if charge.get("_dispute_open"):
        raise refused(f"Charge {charge['id']} is already disputed.", code="charge_disputed")
    account = sandbox.store.account_of(charge["id"])
    dispute: Doc = {
        "id": sandbox.ids.new("du_1"),
        "object": "dispute",
        "amount": amount or charge["amount_captured"],
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
    charge |= {"disputed": True, "_dispute_open": not inquiry}
    sandbox.store.save(charge)
    sandbox.add(dispute, account, parent=charge["id"])
    sandbox.clock.schedule("dispute.deadline", dispute["id"], ANSWER_WITHIN)
    events.emit(sandbox, "charge.dispute.created", dispute)
    events.emit(sandbox, "charge.updated", charge, before=before)
    if not inquiry:
        withdraw(sandbox, dispute)
    return dispute


def withdraw(sandbox: Sandbox, dispute: Doc) -> None:
    """Deduct the disputed amount and Stripe's fee from the balance, in one movement."""
    _move(sandbox, dispute, -dispute["amount"], fee=_fee(sandbox, dispute), words="Chargeback withdrawal for")
    events.emit(sandbox, "charge.dispute.funds_withdrawn", dispute)


def _fee(sandbox: Sandbox, dispute: Doc) -> int:
    """Return the fee in minor units; the setting is in hundredths of the currency."""
    places = currencies.decimals(dispute["currency"])
    return int(sandbox.settings.dispute_fee * 10**places // 100)


def _move(sandbox: Sandbox, dispute: Doc, amount: int, *, fee: int = 0, words: str, category: str = "dispute") -> None:
    account = sandbox.store.account_of(dispute["id"])
    transaction = balance_transaction.record(
        sandbox, account, "adjustment", source=dispute["id"], amount=amount, currency=dispute["currency"], fee=fee,
        fee_description="Dispute fee", counter=(("stripe/disputes", -amount),), category=category,
        description=f"{words} {dispute['charge']}",
    )  # fmt: skip
    dispute["balance_transactions"].append(sandbox.render(transaction))
    sandbox.store.save(dispute)


def answer(sandbox: Sandbox, dispute: Doc, evidence: Doc, *, submit: bool) -> Doc:
    """Add evidence, and send it to the bank when asked. Raises 400 for a dispute that is over."""
    if not is_open(dispute) or dispute["status"].endswith("under_review"):
        raise refused(f"This dispute is {dispute['status']}; evidence can no longer be changed.", code="dispute_closed")
    before = sandbox.render(dispute)
    dispute["evidence"] = {**dispute["evidence"], **evidence}
    details = dispute["evidence_details"]
    details["has_evidence"] = any(value for name, value in dispute["evidence"].items() if name != "enhanced_evidence")
    if submit and details["has_evidence"]:
        inquiry = dispute["status"].startswith("warning")
        dispute["status"] = "warning_under_review" if inquiry else "under_review"
        details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
        if sandbox.settings.dispute_counter_fee and not inquiry:
            _move(sandbox, dispute, 0, fee=sandbox.settings.dispute_counter_fee, words="Dispute countered fee for")
            dispute["_counter_fee"] = sandbox.settings.dispute_counter_fee
        verdict = {WINNING: "won", LOSING: "lost"}.get(evidence.get("uncategorized_text") or "")
        if verdict:
            sandbox.clock.schedule(f"dispute.{verdict}", dispute["id"], 0)
    sandbox.store.save(dispute)
    events.emit(sandbox, "charge.dispute.updated", dispute, before=before)
    return dispute


def is_open(dispute: Doc) -> bool:
    """Return whether a dispute has no outcome yet."""
    return dispute["status"] not in ("won", "lost", "warning_closed", "prevented")


def conclude(sandbox: Sandbox, dispute: Doc, outcome: str) -> Doc:
    """Close a dispute as won or lost; a won dispute returns the amount. Raises 400."""
    if not is_open(dispute):
        raise refused(f"This dispute is already closed: {dispute['status']}.", code="dispute_closed")
    before = sandbox.render(dispute)
    inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if inquiry else outcome
    dispute["is_charge_refundable"] = inquiry
    charge = sandbox.find("charge", dispute["charge"])
    charge["_dispute_open"] = outcome == "lost" and not inquiry
    sandbox.store.save(charge)
    sandbox.store.save(dispute)
    if outcome == "won" and not inquiry:
        # A win returns the fee for countering, but not the fee for the dispute itself.
        _move(sandbox, dispute, dispute["amount"], fee=-dispute.get("_counter_fee", 0), words="Chargeback reversal for",
              category="dispute_reversal")  # fmt: skip
        events.emit(sandbox, "charge.dispute.funds_reinstated", dispute)
    events.emit(sandbox, "charge.dispute.closed", dispute, before=before)
    return dispute


def escalate(sandbox: Sandbox, dispute: Doc) -> Doc:
    """Turn an inquiry into a chargeback. Raises 400."""
    if not dispute["status"].startswith("warning_") or dispute["status"] == "warning_closed":
        raise refused("Only an open inquiry can become a chargeback.")
    before = sandbox.render(dispute)
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    charge = sandbox.find("charge", dispute["charge"])
    charge["_dispute_open"] = True
    sandbox.store.save(charge)
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


EVIDENCE = tuple(name for name in (shape("dispute") or {})["evidence"] if name not in ("enhanced_evidence", "appeal"))
