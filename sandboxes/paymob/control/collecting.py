"""What payers, their banks and Paymob do with payments: pay without a browser, answer a question, settle."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.paymob import cards
from sandboxes.paymob.objects import intention as intentions
from sandboxes.paymob.objects import order as orders
from sandboxes.paymob.objects import payment, payment_key, redirect, settlement, transaction
from sandboxes.paymob.sandbox import Sandbox

PAY = ("method", "card", "save", "phone", "token", "passed")
METHODS = {"card": "card", "token": "card", "wallet": "wallet", "kiosk": "kiosk"}


async def pay(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Pay an intention or an order by `method`, and answer what the bank, the wallet or the kiosk waits for.

    `ident` is a client secret, an id of an intention or the number of an order. `passed`: true, false, or null to leave
    the transaction pending, which is the default at a kiosk.
    """
    unknown = given.keys() - set(PAY)
    method = given.get("method", "card")
    if unknown or method not in METHODS:
        raise ValueError(f"pay takes {', '.join(PAY)}; method is one of {', '.join(METHODS)}")
    sandbox = control.sandbox
    with sandbox.store.transaction():
        key = _key(sandbox, ident, METHODS[method])
        doc = attempt(sandbox, key, method, given)
        passed = given.get("passed", None if method == "kiosk" else True)
        if passed is not None:
            payment.answer(sandbox, doc, passed=bool(passed))
    sandbox.run_due()
    return _shown(sandbox, doc["id"])


def attempt(sandbox: Sandbox, key: Doc, method: str, given: Doc) -> Doc:
    """Begin a payment by a method with what it needs; return its transaction."""
    if method == "wallet":
        return payment.by_wallet(sandbox, key, str(given.get("phone", cards.WALLET)))
    if method == "kiosk":
        return payment.at_kiosk(sandbox, key)
    if method == "token":
        return payment.by_token(sandbox, key, str(given.get("token", "")))
    card = cards.find(str(given.get("card", cards.ALL[0].number)))
    if card is None:
        raise ValueError(f"card must be one of {', '.join(one.number for one in cards.ALL)}")
    return payment.by_card(sandbox, key, card, save=bool(given.get("save", False)))


async def answer(control: Control[Sandbox], given: Doc, number: str) -> Doc:
    """End a pending transaction: `passed` true approves what the payer can pay, false declines it."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        doc = transaction.by_number(sandbox, number)
        if doc["status"] != transaction.PENDING:
            raise ValueError(f"the transaction is {doc['status']}")
        payment.answer(sandbox, doc, passed=bool(given.get("passed", True)))
    return _shown(sandbox, doc["id"])


async def settle(control: Control[Sandbox], _given: Doc) -> Doc:
    """Send what was collected to the merchant's bank, in one batch."""
    with control.sandbox.store.transaction():
        return {"settlement": settlement.settle(control.sandbox)}


async def list_cards(_control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the test cards and what each does."""
    shown = [
        {"number": card.number, "code": card.code, "secure": card.secure, "refund": card.refund} for card in cards.ALL
    ]
    return {"cards": shown, "wallet": cards.WALLET, "code": cards.CODE}


def _key(sandbox: Sandbox, ident: str, kind: str) -> Doc:
    if ident.isdigit():
        order = orders.by_number(sandbox, int(ident))
    elif ident.startswith("pi_"):
        order = intentions.order_of(sandbox, sandbox.find("intention", ident))
    else:
        order = intentions.order_of(sandbox, intentions.by_secret(sandbox, ident))
    for key in sandbox.store.find("payment_key", parent=order["id"]):
        if payment_key.integration_of(key).kind == kind:
            return key
    raise ValueError(f"this cannot be paid by {kind}: it has no such payment method")


def _shown(sandbox: Sandbox, ident: str) -> Doc:
    with sandbox.store.transaction():
        doc = sandbox.find("transaction", ident)
        return {"transaction": sandbox.render(doc), "redirect_url": redirect.url(sandbox, doc)}


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/intentions/{ident}/pay", pay),
    Endpoint("POST", "/_sandbox/transactions/{number}", answer),
    Endpoint("POST", "/_sandbox/settlements", settle),
    Endpoint("GET", "/_sandbox/cards", list_cards),
)
