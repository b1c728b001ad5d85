"""Payment intents: from creation through confirmation and 3-D Secure to success, capture or cancellation."""

from __future__ import annotations

from sandboxes.stripe import cards, events
from sandboxes.stripe.box import Box, timer
from sandboxes.stripe.cards import Card, Decline
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError, refused
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects.challenge import challenge
from sandboxes.stripe.objects.disclosure import in_error

AUTHORIZATION_LIFETIME = 7 * 86_400
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def unexpected(box: Box, intent: Doc, doing: str) -> ApiError:
    """Return the refusal of a step that the state of an intent does not allow."""
    return refused(
        f"You cannot {doing} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=in_error(box, intent),
    )


def choose_method(box: Box, intent: Doc, account: str, given: Doc) -> None:
    """Set the payment method that the parameters name. Raises 400."""
    if given.get("payment_method_data"):
        method = methods.make(box, account, given["payment_method_data"])
    elif given.get("payment_method"):
        method = methods.resolve(box, account, given["payment_method"])
    else:
        return
    owner = method["customer"]
    if owner and owner != intent["customer"]:
        raise refused(
            "The provided PaymentMethod is attached to a customer; the PaymentIntent must name the same customer.",
            param="payment_method",
        )
    if not owner and method["_used"]:
        raise refused(
            "The provided PaymentMethod was used before without being attached to a Customer,"
            " or was detached from one, and may not be used again.",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    if intent["status"] in OPEN:
        intent["status"] = "requires_confirmation"
        intent["last_payment_error"] = None
        intent["next_action"] = None


def confirm(
    box: Box,
    intent: Doc,
    *,
    return_url: str | None,
    off_session: bool,
    error_on_action: bool,
    by_script: bool = False,
) -> Doc:
    """Try to pay. Raises 402 when the card declines; the failed attempt stays."""
    if intent["status"] not in OPEN:
        raise unexpected(box, intent, "confirm")
    if not intent["payment_method"]:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method."
            " Pass payment_method or payment_method_data.",
            code="payment_intent_unexpected_state",
            payment_intent=in_error(box, intent),
        )
    method = box.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.named(method["_card"])
    if not _must_challenge(intent, card, method, off_session):
        return _charge(box, intent, method, authenticated=False)
    if off_session or error_on_action:
        return _fail(box, intent, method, Decline(
            "authentication_required", "authentication_required", "Your card was declined. It requires authentication."
        ))  # fmt: skip
    return challenge(box, intent, return_url, by_script=by_script)


def _must_challenge(intent: Doc, card: Card, method: Doc, off_session: bool) -> bool:
    asked = ((intent["payment_method_options"] or {}).get("card") or {}).get("request_three_d_secure")
    if card.challenge == "unless_saved":
        return not method["_authenticated"]
    return card.challenge == "always" or (asked in ("any", "challenge") and not off_session)


def authenticate(box: Box, intent: Doc, *, passed: bool) -> Doc:
    """Finish 3-D Secure: go on with the charge, or back to asking for a payment method."""
    if intent["status"] != "requires_action":
        raise unexpected(box, intent, "authenticate")
    method = box.find("payment_method", intent["payment_method"])
    intent |= {"next_action": None, "_challenge": None}
    if passed:
        return _charge(box, intent, method, authenticated=True)
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        "message": "The provided PaymentMethod has failed authentication. Try again with another one.",
        "payment_method": box.render(method),
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
    box.store.save(intent)
    events.emit(box, "payment_intent.payment_failed", intent)
    return intent


def _charge(box: Box, intent: Doc, method: Doc, *, authenticated: bool) -> Doc:
    card = cards.named(method["_card"])
    method["_authenticated"] = method["_authenticated"] or authenticated
    method["_used"] = True
    box.store.save(method)
    if card.decline:
        return _fail(box, intent, method, card.decline, authenticated=authenticated)
    capture = intent["capture_method"] != "manual"
    charge = charges.approve(box, charges.new(box, intent, method, authenticated=authenticated), capture=capture)
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if not capture:
        return _authorized(box, intent)
    _succeed(box, intent, charge)
    _save_method(box, intent, method)
    return intent


def _authorized(box: Box, intent: Doc) -> Doc:
    intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    box.store.save(intent)
    box.clock.schedule("payment_intent.expire", intent["id"], AUTHORIZATION_LIFETIME)
    events.emit(box, "payment_intent.amount_capturable_updated", intent)
    return intent


def _succeed(box: Box, intent: Doc, charge: Doc) -> None:
    intent |= {"status": "succeeded", "amount_received": charge["amount_captured"], "amount_capturable": 0}
    box.store.save(intent)
    events.emit(box, "payment_intent.succeeded", intent)


def _save_method(box: Box, intent: Doc, method: Doc) -> None:
    if intent["setup_future_usage"] and intent["customer"] and not method["customer"]:
        methods.attach(box, method, box.find("customer", intent["customer"]))


def _fail(box: Box, intent: Doc, method: Doc, why: Decline, *, authenticated: bool = False) -> Doc:
    charge = charges.decline(box, charges.new(box, intent, method, authenticated=authenticated), why)
    error: Doc = {
        "type": "card_error",
        "charge": charge["id"],
        "code": why.code,
        "decline_code": why.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{why.code.replace('_', '-')}",
        "message": why.message,
        "payment_method": box.render(method),
    }
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "latest_charge": charge["id"],
        "last_payment_error": error,
        "next_action": None,
    }
    box.store.save(intent)
    events.emit(box, "payment_intent.payment_failed", intent)
    raise ApiError(
        402, why.message, kind="card_error", code=why.code, keep_effects=True, charge=charge["id"],
        decline_code=why.decline_code, payment_method=error["payment_method"], payment_intent=in_error(box, intent),
    )  # fmt: skip


def capture(box: Box, intent: Doc, amount: int | None) -> Doc:
    """Take authorized money, all or part; the rest is released."""
    if intent["status"] != "requires_capture":
        raise unexpected(box, intent, "capture")
    taken = amount if amount is not None else intent["amount_capturable"]
    if taken > intent["amount_capturable"]:
        raise refused(
            f"The amount to capture ({taken}) is greater than the capturable amount ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    box.clock.cancel("payment_intent.expire", intent["id"])
    charge = box.find("charge", intent["latest_charge"])
    before = box.render(charge)
    charges.collect(box, charge, taken)
    charge["amount_refunded"] = 0
    events.emit(box, "charge.captured", charge, before=before)
    _succeed(box, intent, charge)
    return intent


def cancel(box: Box, intent: Doc, reason: str | None) -> Doc:
    """Give up an intent; an authorization is released."""
    if intent["status"] not in (*OPEN, "requires_capture"):
        raise unexpected(box, intent, "cancel")
    if intent["status"] == "requires_capture":
        charge = box.find("charge", intent["latest_charge"])
        before = box.render(charge)
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        box.store.save(charge)
        events.emit(box, "charge.refunded", charge, before=before)
    box.clock.cancel("payment_intent.expire", intent["id"])
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": box.clock.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    box.store.save(intent)
    events.emit(box, "payment_intent.canceled", intent)
    return intent


@timer("payment_intent.expire")
def _expire(box: Box, ident: str) -> None:
    intent = box.find("payment_intent", ident)
    if intent["status"] == "requires_capture":
        cancel(box, intent, "automatic")
