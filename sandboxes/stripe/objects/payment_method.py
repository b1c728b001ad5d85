"""Payment methods: test cards, created from a number, a token or a ready-made name."""

from __future__ import annotations

import re
from typing import Any

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError, bad_param
from sandboxes.kit.identifiers import letters
from sandboxes.kit.params import Choice, Either, Email, Hash, Str
from sandboxes.stripe import cards, events, params, shaping
from sandboxes.stripe.cards import Card
from sandboxes.stripe.errors import missing, refused
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.sandbox import Sandbox

CARD = Hash(
    number=Str(longest=40),
    exp_month=Str(),
    exp_year=Str(),
    cvc=Str(longest=4),
    token=Str(),
    name=Str(),
    networks=Hash(preferred=Str()),
)
BILLING = Hash(address=Hash(params.ADDRESS), email=Email(), name=Str(), phone=Str(), tax_id=Str())
REDISPLAY = Choice("always", "limited", "unspecified")
DATA = {
    "type": Choice("card", required=True),
    "card": CARD,
    "billing_details": BILLING,
    "metadata": Metadata(),
    "allow_redisplay": REDISPLAY,
    "radar_options": Hash(session=Str()),
}
IN_INTENT = Hash(DATA)
REFERENCE = Either(Str(), Hash())
_NAMES = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}


def card_of(sandbox: Sandbox, given: Doc) -> tuple[Card, Doc]:
    """Return the test card behind typed-in numbers or a token, and its expiry. Raises 402 and 400."""
    if given.get("token"):
        return _card_of_token(sandbox, given["token"])
    for name in ("number", "exp_month", "exp_year"):
        if not given.get(name):
            raise bad_param(f"Missing required param: card[{name}].", f"card[{name}]", "parameter_missing")
    number = given["number"].replace(" ", "").replace("-", "")
    if not cards.valid_number(number):
        raise _card_error("Your card number is incorrect.", "incorrect_number", "number")
    month, year = _expiry(sandbox, given)
    cvc = given.get("cvc")
    card = cards.BY_NUMBER.get(number, cards.NOT_A_TEST_CARD)
    if cvc is not None and not re.fullmatch(r"[0-9]{4}" if card.brand == "amex" else r"[0-9]{3}", cvc):
        raise _card_error("Your card's security code is invalid.", "invalid_cvc", "cvc")
    return card, {"exp_month": month, "exp_year": year, "cvc": cvc is not None, "last4": number[-4:]}


def _expiry(sandbox: Sandbox, given: Doc) -> tuple[int, int]:
    month_text, year_text = given["exp_month"], given["exp_year"]
    if not re.fullmatch(r"0?[1-9]|1[0-2]", month_text):
        raise _card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if not re.fullmatch(r"[0-9]{2}|[0-9]{4}", year_text):
        raise _card_error("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    month, year = int(month_text), int(year_text) + (2000 if len(year_text) == 2 else 0)
    today = sandbox.clock.today()
    if (year, month) < (today.year, today.month) or year > today.year + 50:
        raise _card_error("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    return month, year


def _card_of_token(sandbox: Sandbox, ident: str) -> tuple[Card, Doc]:
    ready = cards.ready_made(ident)
    if ready:
        return ready, _expiry_of_ready_made(sandbox)
    token = sandbox.store.get(ident, "token")
    if token is None or token["type"] != "card":
        raise missing("token", ident, param="card[token]")
    if token["used"]:
        raise refused(f"You cannot use a token more than once: {ident}.", code="token_already_used")
    token["used"] = True
    sandbox.store.save(token)
    return cards.named(token["_card"]), token["_details"]


def _expiry_of_ready_made(sandbox: Sandbox) -> Doc:
    today = sandbox.clock.today()
    return {"exp_month": today.month, "exp_year": today.year + 1, "cvc": True}


def _card_error(message: str, code: str, param: str) -> ApiError:
    return ApiError(402, message, kind="card_error", code=code, param=param)


def build(sandbox: Sandbox, card: Card, details: Doc, given: Doc | None = None) -> Doc:
    """Return a payment method document, not yet stored."""
    given = given or {}
    return {
        "id": sandbox.ids.new("pm_1"),
        "object": "payment_method",
        "allow_redisplay": given.get("allow_redisplay") or "unspecified",
        "billing_details": {
            "address": {}, "email": None, "name": None, "phone": None, "tax_id": None,
            **(given.get("billing_details") or {}),
        },
        "card": _card_hash(card, details),
        "created": sandbox.clock.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": params.merge_metadata({}, given.get("metadata") or {}),
        "radar_options": {},
        "type": "card",
        "_card": card.name,
        "_authenticated": False,
        "_used": False,
    }  # fmt: skip


def _card_hash(card: Card, details: Doc) -> Doc:
    number = details.get("last4", card.last4)
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass" if details["cvc"] else None,
        },
        "country": card.country,
        "display_brand": _NAMES.get(card.brand, card.brand).lower().replace(" ", "_"),
        "exp_month": details["exp_month"],
        "exp_year": details["exp_year"],
        "fingerprint": fingerprint(card, number),
        "funding": card.funding,
        "last4": number,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def fingerprint(card: Card, last4: str) -> str:
    """Return the fingerprint of a card number."""
    return letters(f"card:{card.number}:{last4}", 16)


def make(sandbox: Sandbox, account: str, given: Doc) -> Doc:
    """Create and store a payment method from its parameters."""
    if not given.get("card"):
        raise bad_param("Missing required param: card.", "card", "parameter_missing")
    card, details = card_of(sandbox, given["card"])
    return sandbox.add(build(sandbox, card, details, given), account)


def resolve(sandbox: Sandbox, account: str, ident: str, *, param: str = "payment_method") -> Doc:
    """Return a payment method by id; a ready-made name creates a new one. Raises resource_missing."""
    ready = cards.ready_made(ident) if ident.startswith("pm_card_") else None
    if ready:
        return sandbox.add(build(sandbox, ready, _expiry_of_ready_made(sandbox)), account)
    return sandbox.find("payment_method", ident, account=account, param=param)


def attach(sandbox: Sandbox, method: Doc, customer: Doc) -> Doc:
    """Save a payment method for a customer. Raises 402 for cards that cannot be saved."""
    card = cards.named(method["_card"])
    if card.decline and not card.attachable and not card.challenge:
        raise ApiError(
            402, card.decline.message, kind="card_error", code=card.decline.code,
            decline_code=card.decline.decline_code,
        )  # fmt: skip
    method["customer"] = customer["id"]
    sandbox.store.save(method, parent=customer["id"])
    events.emit(sandbox, "payment_method.attached", method)
    return method


def detach(sandbox: Sandbox, method: Doc) -> None:
    """Remove a payment method from its customer; it cannot be used again."""
    before = sandbox.render(method)
    method |= {"customer": None, "_used": True}
    sandbox.store.save(method)
    events.emit(sandbox, "payment_method.detached", method, before=before)


def legacy_card(sandbox: Sandbox, card: Card, details: Doc) -> Any:
    """Return the card object inside a token."""
    checks = _card_hash(card, details)
    return shaping.complete({
        **{name: checks[name] for name in ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding")},
        "id": sandbox.ids.new("card_1"),
        "object": "card",
        "cvc_check": "unchecked" if details["cvc"] else None,
        "last4": checks["last4"],
        "metadata": {},
        "networks": {"preferred": None},
        "regulated_status": "unregulated",
    })  # fmt: skip
