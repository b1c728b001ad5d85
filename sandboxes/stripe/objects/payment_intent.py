"""Payment intents: from creation through confirmation and 3-D Secure to success, capture or cancellation."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.stripe import cards, events
from sandboxes.stripe.cards import Card, Decline
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects.three_d_secure import challenge
from sandboxes.stripe.objects.visibility import in_error
from sandboxes.stripe.sandbox import Sandbox

AUTHORIZATION_LIFETIME = 7 * 86_400
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def unexpected(sandbox: Sandbox, intent: Doc, doing: str) -> ApiError:
    """Return the refusal of a step that the state of an intent does not allow."""
    return refused(
        f"You cannot {doing} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=in_error(sandbox, intent),
    )


def choose_method(sandbox: Sandbox, intent: Doc, account: str, given: Doc) -> None:
    """Set the payment method that the parameters name. Raises 400."""
    if given.get("payment_method_data"):
        method = methods.make(sandbox, account, given["payment_method_data"])
    elif given.get("payment_method"):
        method = methods.resolve(sandbox, account, given["payment_method"])
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
    sandbox: Sandbox,
    intent: Doc,
    *,
    return_url: str | None,
    off_session: bool,
    error_on_action: bool,
    by_script: bool = False,
) -> Doc:
    """Try to pay. Raises 402 when the card declines; the failed attempt stays."""
    if intent["status"] not in OPEN:
        raise unexpected(sandbox, intent, "confirm")
    if not intent["payment_method"]:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method."
            " Pass payment_method or payment_method_data.",
            code="payment_intent_unexpected_state",
            payment_intent=in_error(sandbox, intent),
        )
    method = sandbox.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.named(method["_card"])
    if not _must_challenge(intent, card, method, off_session):
        return _charge(sandbox, intent, method, authenticated=False)
    if off_session or error_on_action:
        return _fail(sandbox, intent, method, Decline(
            "authentication_required", "authentication_required", "Your card was declined. It requires authentication."
        ))  # fmt: skip
    return challenge(sandbox, intent, return_url, by_script=by_script)


def _must_challenge(intent: Doc, card: Card, method: Doc, off_session: bool) -> bool:
    asked = ((intent["payment_method_options"] or {}).get("card") or {}).get("request_three_d_secure")
    if card.challenge == "unless_saved":
        return not method["_authenticated"]
    return card.challenge == "always" or (asked in ("any", "challenge") and not off_session)


def authenticate(sandbox: Sandbox, intent: Doc, *, passed: bool) -> Doc:
    """Finish 3-D Secure: charge the card, or return to requires_payment_method."""
    if intent["status"] != "requires_action":
        raise unexpected(sandbox, intent, "authenticate")
    method = sandbox.find("payment_method", intent["payment_method"])
    intent |= {"next_action": None, "_challenge": None}
    if passed:
        return _charge(sandbox, intent, method, authenticated=True)
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        "message": "The provided PaymentMethod has failed authentication. Try again with another one.",
        "payment_method": sandbox.render(method),
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
    sandbox.store.save(intent)
    events.emit(sandbox, "payment_intent.payment_failed", intent)
    return intent


def _charge(sandbox: Sandbox, intent: Doc, method: Doc, *, authenticated: bool) -> Doc:
    card = cards.named(method["_card"])
    method["_authenticated"] = method["_authenticated"] or authenticated
    method["_used"] = True
    sandbox.store.save(method)
    if card.decline:
        return _fail(sandbox, intent, method, card.decline, authenticated=authenticated)
    capture = intent["capture_method"] != "manual"
    charge = charges.approve(
        sandbox, charges.new(sandbox, intent, method, authenticated=authenticated), capture=capture
    )
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if not capture:
        return _authorized(sandbox, intent)
    _succeed(sandbox, intent, charge)
    _save_method(sandbox, intent, method)
    return intent


def _authorized(sandbox: Sandbox, intent: Doc) -> Doc:
    intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    sandbox.store.save(intent)
    sandbox.clock.schedule("payment_intent.expire", intent["id"], AUTHORIZATION_LIFETIME)
    events.emit(sandbox, "payment_intent.amount_capturable_updated", intent)
    return intent


def _succeed(sandbox: Sandbox, intent: Doc, charge: Doc) -> None:
    intent |= {"status": "succeeded", "amount_received": charge["amount_captured"], "amount_capturable": 0}
    sandbox.store.save(intent)
    events.emit(sandbox, "payment_intent.succeeded", intent)


def _save_method(sandbox: Sandbox, intent: Doc, method: Doc) -> None:
    if intent["setup_future_usage"] and intent["customer"] and not method["customer"]:
        methods.attach(sandbox, method, sandbox.find("customer", intent["customer"]))


def _fail(sandbox: Sandbox, intent: Doc, method: Doc, why: Decline, *, authenticated: bool = False) -> Doc:
    charge = charges.decline(sandbox, charges.new(sandbox, intent, method, authenticated=authenticated), why)
    error: Doc = {
        "type": "card_error",
        "charge": charge["id"],
        "code": why.code,
        "decline_code": why.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{why.code.replace('_', '-')}",
        "message": why.message,
        "payment_method": sandbox.render(method),
    }
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "latest_charge": charge["id"],
        "last_payment_error": error,
        "next_action": None,
    }
    sandbox.store.save(intent)
    events.emit(sandbox, "payment_intent.payment_failed", intent)
    raise ApiError(
        402, why.message, kind="card_error", code=why.code, keep_effects=True, charge=charge["id"],
        decline_code=why.decline_code, payment_method=error["payment_method"], payment_intent=in_error(sandbox, intent),
    )  # fmt: skip


def capture(sandbox: Sandbox, intent: Doc, amount: int | None) -> Doc:
    """Capture all or part of an authorization; the rest is released."""
    if intent["status"] != "requires_capture":
        raise unexpected(sandbox, intent, "capture")
    taken = amount if amount is not None else intent["amount_capturable"]
    if taken > intent["amount_capturable"]:
        raise refused(
            f"The amount to capture ({taken}) is greater than the capturable amount ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    sandbox.clock.cancel("payment_intent.expire", intent["id"])
    charge = sandbox.find("charge", intent["latest_charge"])
    before = sandbox.render(charge)
    charges.collect(sandbox, charge, taken)
    charge["amount_refunded"] = 0
    events.emit(sandbox, "charge.captured", charge, before=before)
    _succeed(sandbox, intent, charge)
    return intent


def cancel(sandbox: Sandbox, intent: Doc, reason: str | None) -> Doc:
    """Cancel an intent; an authorization is released."""
    if intent["status"] not in (*OPEN, "requires_capture"):
        raise unexpected(sandbox, intent, "cancel")
    if intent["status"] == "requires_capture":
        charge = sandbox.find("charge", intent["latest_charge"])
        before = sandbox.render(charge)
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        sandbox.store.save(charge)
        events.emit(sandbox, "charge.refunded", charge, before=before)
    sandbox.clock.cancel("payment_intent.expire", intent["id"])
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": sandbox.clock.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    sandbox.store.save(intent)
    events.emit(sandbox, "payment_intent.canceled", intent)
    return intent


def expire(sandbox: Sandbox, ident: str) -> None:
    """Cancel an authorization that was not captured in time."""
    intent = sandbox.find("payment_intent", ident)
    if intent["status"] == "requires_capture":
        cancel(sandbox, intent, "automatic")
