"""Setup intents: from creation through confirmation and 3-D Secure to a saved card."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.stripe import cards, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects.three_d_secure import challenge
from sandboxes.stripe.objects.visibility import in_error
from sandboxes.stripe.sandbox import Sandbox

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def require_open(sandbox: Sandbox, intent: Doc, doing: str) -> None:
    """Refuse a step on a finished setup intent. Raises 400."""
    if intent["status"] not in OPEN:
        raise refused(
            f"You cannot {doing} this SetupIntent because it has a status of {intent['status']}.",
            code="setup_intent_unexpected_state",
            setup_intent=in_error(sandbox, intent),
        )


def choose_method(sandbox: Sandbox, intent: Doc, account: str, given: Doc) -> None:
    """Set the payment method that the parameters name. Raises 400."""
    if given.get("payment_method_data"):
        method = methods.make(sandbox, account, given["payment_method_data"])
    elif given.get("payment_method"):
        method = methods.resolve(sandbox, account, given["payment_method"])
    else:
        return
    if method["customer"] and method["customer"] != intent["customer"]:
        raise refused(
            "The provided PaymentMethod is attached to a customer; the SetupIntent must name the same customer.",
            param="payment_method",
        )
    intent |= {
        "payment_method": method["id"],
        "status": "requires_confirmation",
        "last_setup_error": None,
        "next_action": None,
    }


def confirm(sandbox: Sandbox, intent: Doc, *, return_url: str | None, by_script: bool = False) -> Doc:
    """Try to save the card. Raises 402 when its bank declines."""
    require_open(sandbox, intent, "confirm")
    if not intent["payment_method"]:
        raise refused(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
            setup_intent=in_error(sandbox, intent),
        )
    method = sandbox.find("payment_method", intent["payment_method"])
    card = cards.named(method["_card"])
    asked = intent["payment_method_options"]["card"]["request_three_d_secure"] in ("any", "challenge")
    if (card.challenge or asked) and not method["_authenticated"]:
        return challenge(sandbox, intent, return_url, by_script=by_script)
    return _save(sandbox, intent, method)


def authenticate(sandbox: Sandbox, intent: Doc, *, passed: bool) -> Doc:
    """Finish 3-D Secure: save the card, or go back to asking for one."""
    if intent["status"] != "requires_action":
        require_open(sandbox, intent, "authenticate")
    method = sandbox.find("payment_method", intent["payment_method"])
    intent |= {"next_action": None, "_challenge": None}
    if passed:
        method["_authenticated"] = True
        sandbox.store.save(method)
        return _save(sandbox, intent, method)
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_setup_error": {
            "type": "invalid_request_error",
            "code": "setup_intent_authentication_failure",
            "doc_url": "https://stripe.com/docs/error-codes/setup-intent-authentication-failure",
            "message": "The provided PaymentMethod has failed authentication. Try again with another one.",
            "payment_method": sandbox.render(method),
        },
    }
    sandbox.store.save(intent)
    events.emit(sandbox, "setup_intent.setup_failed", intent)
    return intent


def _save(sandbox: Sandbox, intent: Doc, method: Doc) -> Doc:
    card = cards.named(method["_card"])
    if card.decline and not card.attachable and not method["_authenticated"]:
        _fail(sandbox, intent, method, card.decline)
    if intent["customer"] and not method["customer"]:
        methods.attach(sandbox, method, sandbox.find("customer", intent["customer"]))
    # Only a card that always requires authentication requires it again after setup.
    method["_authenticated"] = method["_authenticated"] or card.challenge == "unless_saved"
    sandbox.store.save(method)
    intent |= {"status": "succeeded", "last_setup_error": None, "next_action": None}
    sandbox.store.save(intent)
    events.emit(sandbox, "setup_intent.succeeded", intent)
    return intent


def _fail(sandbox: Sandbox, intent: Doc, method: Doc, why: cards.Decline) -> None:
    error = {
        "type": "card_error",
        "code": why.code,
        "decline_code": why.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{why.code.replace('_', '-')}",
        "message": why.message,
        "payment_method": sandbox.render(method),
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_setup_error": error}
    sandbox.store.save(intent)
    events.emit(sandbox, "setup_intent.setup_failed", intent)
    raise ApiError(
        402, why.message, kind="card_error", code=why.code, keep_effects=True, decline_code=why.decline_code,
        payment_method=error["payment_method"], setup_intent=in_error(sandbox, intent),
    )  # fmt: skip


def cancel(sandbox: Sandbox, intent: Doc, reason: str | None) -> Doc:
    """Cancel a setup intent."""
    require_open(sandbox, intent, "cancel")
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    sandbox.store.save(intent)
    events.emit(sandbox, "setup_intent.canceled", intent)
    return intent
