"""Charges: what a card paid, or failed to pay."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import cards, currencies, events, params
from sandboxes.stripe.objects import balance_transaction, exchange
from sandboxes.stripe.sandbox import Sandbox


def new(sandbox: Sandbox, intent: Doc, method: Doc, *, authenticated: bool) -> Doc:
    """Return the charge of a payment attempt, not yet stored and not yet decided."""
    descriptor = intent["statement_descriptor"] or "STRIPE SANDBOX"
    suffix = intent["statement_descriptor_suffix"]
    ident = sandbox.ids.new("ch_3")
    return {
        "id": ident,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "authorization_code": "123456",
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": f"{descriptor}* {suffix}" if suffix else descriptor,
        "captured": False,
        "created": sandbox.clock.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": intent["on_behalf_of"],
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": "card", "card": _card_details(intent, method, authenticated)},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_url": f"{sandbox.base_url}/receipts/{ident}",
        "refunded": False,
        "shipping": intent["shipping"],
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": suffix,
        "status": "pending",
        "transfer_group": intent["transfer_group"],
        "_card": method["_card"],
    }


def _card_details(intent: Doc, method: Doc, authenticated: bool) -> Doc:
    card = method["card"]
    challenge = {
        "authentication_flow": "challenge", "electronic_commerce_indicator": "05", "result": "authenticated",
        "transaction_id": intent["id"], "version": "2.2.0",
    }  # fmt: skip
    return {
        **{name: card[name] for name in (
            "brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4",
        )},
        "amount_authorized": intent["amount"],
        "authorization_code": "123456",
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": "104557651805572",
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": challenge if authenticated else None,
    }  # fmt: skip


def decline(sandbox: Sandbox, charge: Doc, why: cards.Decline) -> Doc:
    """Store a charge that failed."""
    reason = why.decline_code or why.code
    charge |= {
        "failure_code": why.code,
        "failure_message": why.message,
        "outcome": {
            "network_status": "declined_by_network", "reason": reason, "risk_level": "normal", "risk_score": 12,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined", "advice_code": None,
        },
        "status": "failed",
    }  # fmt: skip
    account = sandbox.store.account_of(charge["payment_intent"])
    sandbox.add(charge, account, parent=charge["payment_intent"])
    events.emit(sandbox, "charge.failed", charge)
    return charge


def approve(sandbox: Sandbox, charge: Doc, *, capture: bool) -> Doc:
    """Store a charge that succeeded, captured at once or authorized only."""
    charge |= {
        "outcome": {
            "network_status": "approved_by_network", "reason": None, "risk_level": "normal", "risk_score": 12,
            "seller_message": "Payment complete.", "type": "authorized",
        },
        "paid": True,
        "status": "succeeded",
    }  # fmt: skip
    account = sandbox.store.account_of(charge["payment_intent"])
    sandbox.add(charge, account, parent=charge["payment_intent"])
    if capture:
        collect(sandbox, charge, charge["amount"])
    events.emit(sandbox, "charge.succeeded", charge)
    return charge


def collect(sandbox: Sandbox, charge: Doc, amount: int) -> None:
    """Record the money of a captured charge: gross from the card, less Stripe's fee."""
    settings, account = sandbox.settings, sandbox.store.account_of(charge["id"])
    card = cards.named(charge["_card"])
    wait = 0 if card.at_once else settings.settle_after
    charge |= {"amount_captured": amount, "captured": True}
    settled = exchange.settled(sandbox, account, amount, charge["currency"])
    transaction = balance_transaction.record(
        sandbox, account, "charge", source=charge["id"], amount=amount, currency=charge["currency"],
        fee=processing_fee(
            settled.amount, settings.fee_basis_points, settings.fee_fixed, step=currencies.step(settled.currency)
        ),
        counter=((card_book(charge), -amount),),
        available_on=int(sandbox.clock.now() + wait), description=charge["description"], settled=settled,
    )  # fmt: skip
    charge["_balance_transaction"] = transaction["id"]
    if settings.balance_transaction_after:
        sandbox.clock.schedule("charge.balance_transaction", charge["id"], settings.balance_transaction_after)
    else:
        charge["balance_transaction"] = transaction["id"]
    if card.dispute:
        sandbox.clock.schedule("dispute.open", charge["id"], 0)
    sandbox.store.save(charge)


def processing_fee(amount: int, basis_points: int, fixed: int, *, step: int = 1) -> int:
    """Return Stripe's fee in minor units: a share of the amount and a fixed part, rounded half up to the step."""
    exact = amount * basis_points + fixed * 10_000
    return (2 * exact + 10_000 * step) // (20_000 * step) * step


def card_book(charge: Doc) -> str:
    """Return the book of the card that paid."""
    return f"card/{charge['payment_method_details']['card']['fingerprint']}"


def unrefunded(charge: Doc) -> int:
    """Return what was captured and not refunded, in minor units."""
    return int(charge["amount_captured"] - charge["amount_refunded"])


def unrefunded_settled(sandbox: Sandbox, charge: Doc) -> int:
    """Return what was captured and not refunded, in the currency in which the charge settled."""
    rate = balance_transaction.of(sandbox, charge, "_balance_transaction").get("_rate")
    return exchange.converted(unrefunded(charge), rate)


def card_of(charge: Doc) -> cards.Card | None:
    """Return the test card of a charge; a transferred payment has none."""
    return cards.named(charge["_card"]) if charge.get("_card") else None


def update(sandbox: Sandbox, charge: Doc, given: Doc) -> Doc:
    """Change the fields of a charge that may be changed, and emit charge.updated."""
    before = sandbox.render(charge)
    if "metadata" in given:
        charge["metadata"] = params.merge_metadata(charge["metadata"], given["metadata"])
    charge.update({name: given[name] for name in ("description", "receipt_email", "shipping") if name in given})
    if given.get("transfer_group"):
        charge["transfer_group"] = given["transfer_group"]
    sandbox.store.save(charge)
    events.emit(sandbox, "charge.updated", charge, before=before)
    return charge


def show_balance_transaction(sandbox: Sandbox, ident: str) -> None:
    """Show the charge's balance transaction, which is created later than the charge."""
    charge = sandbox.find("charge", ident)
    before = sandbox.render(charge)
    charge["balance_transaction"] = charge["_balance_transaction"]
    sandbox.store.save(charge)
    events.emit(sandbox, "charge.updated", charge, before=before)


def render(sandbox: Sandbox, charge: Doc) -> Doc:
    """Return the charge as the API answers it: an address is an object even when it is empty."""
    if charge["billing_details"] is not None and not charge["billing_details"].get("address"):
        charge["billing_details"] = {**charge["billing_details"], "address": {}}
    return charge
