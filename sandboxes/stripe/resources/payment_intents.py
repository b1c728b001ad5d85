"""`/v1/payment_intents`."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError, bad_param
from sandboxes.kit.params import Array, Bool, Choice, Email, Hash, Int, Param, Str, Url
from sandboxes.kit.routing import route
from sandboxes.stripe import currencies, events, listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import payment_intent as intents
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects.visibility import visible
from sandboxes.stripe.params import Amount, BoolOrWord, Currency, Metadata
from sandboxes.stripe.resources.customers import living
from sandboxes.stripe.sandbox import Sandbox

SHIPPING = Hash(address=Hash(params.ADDRESS), name=Str(), phone=Str(), carrier=Str(), tracking_number=Str())
USAGE = Choice("off_session", "on_session")
CARD_OPTIONS = Hash(
    card=Hash(
        request_three_d_secure=Choice("any", "automatic", "challenge"),
        setup_future_usage=Choice("none", "off_session", "on_session"),
        capture_method=Choice("manual"),
        moto=Bool(),
    )
)
AUTOMATIC = Hash(enabled=Bool(required=True), allow_redirects=Choice("always", "never"))
MANDATE = Hash(customer_acceptance=Hash(
    type=Choice("online", "offline"), accepted_at=Int(),
    online=Hash(ip_address=Str(), user_agent=Str(), infer_from_client=Bool()), offline=Hash(),
))  # fmt: skip


class NoLongerTaken(Param):
    """A parameter that this version of the API refuses with its own error code."""

    def read(self, value: Any, path: str) -> Any:
        """Refuse."""
        raise bad_param(
            f"The parameter {path} is no longer supported. Use automatic_payment_methods, or"
            " allowed_payment_method_types to restrict the types.",
            path,
            f"{path}_no_longer_supported",
        )


ATTEMPT: dict[str, Param] = {
    "allowed_payment_method_types": Array(Str()),
    "excluded_payment_method_types": Array(Str()),
    "payment_method_types": NoLongerTaken(),
    "mandate_data": MANDATE,
    "payment_method": Str(),
    "payment_method_data": methods.IN_INTENT,
    "payment_method_options": CARD_OPTIONS,
    "receipt_email": Email(),
    "setup_future_usage": USAGE,
    "shipping": SHIPPING,
}
CONFIRMING: dict[str, Param] = {
    "error_on_requires_action": Bool(),
    "off_session": BoolOrWord("one_off", "recurring"),
    "return_url": Url(),
    "use_stripe_sdk": Bool(),
}
CHANGEABLE: dict[str, Param] = {
    **ATTEMPT,
    "customer": Str(),
    "description": Str(longest=1000),
    "metadata": Metadata(),
    "statement_descriptor": Str(longest=22),
    "statement_descriptor_suffix": Str(longest=22),
    "transfer_group": Str(),
    "capture_method": Choice("automatic", "automatic_async", "manual"),
}
CREATE = {
    **CHANGEABLE,
    **CONFIRMING,
    "amount": Amount(required=True),
    "automatic_payment_methods": AUTOMATIC,
    "confirm": Bool(),
    "confirmation_method": Choice("automatic", "manual"),
    "currency": Currency(required=True),
    "on_behalf_of": Str(),
}
_COPIED = (
    "description", "statement_descriptor", "statement_descriptor_suffix", "transfer_group", "receipt_email",
    "setup_future_usage", "shipping", "on_behalf_of", "customer", "excluded_payment_method_types",
)  # fmt: skip


@route("POST", "/v1/payment_intents", CREATE)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create an intent, and confirm it when asked."""
    _check_amount(call.params["amount"], call.params["currency"])
    _check_seller(sandbox, call.account)
    intent = _fresh(sandbox, call)
    _check_references(sandbox, call, intent)
    sandbox.add(intent, call.account)
    intents.choose_method(sandbox, intent, call.account, call.params)
    sandbox.store.save(intent)
    events.emit(sandbox, "payment_intent.created", intent)
    if call.get("confirm"):
        return _confirm(sandbox, call, intent)
    for name in ("return_url", "off_session", "error_on_requires_action"):
        if call.get(name):
            raise bad_param(f"`{name}` can only be passed with `confirm=true`.", name)
    return intent


def _fresh(sandbox: Sandbox, call: Call) -> Doc:
    ident = sandbox.ids.new("pi_3")
    intent: Doc = {
        "id": ident,
        "object": "payment_intent",
        "amount": call.params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": call.get("capture_method", "automatic_async"),
        "client_secret": f"{ident}_secret_{sandbox.ids.new('', 25)}",
        "confirmation_method": call.get("confirmation_method", "automatic"),
        "created": sandbox.clock.now(),
        "currency": call.params["currency"],
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.merge_metadata({}, call.get("metadata", {})),
        "next_action": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "status": "requires_payment_method",
    }
    intent |= {name: call.get(name) for name in _COPIED}
    _choose_types(intent, call)
    return intent


def _choose_types(intent: Doc, call: Call) -> None:
    allowed, automatic = call.get("allowed_payment_method_types"), call.get("automatic_payment_methods")
    if allowed and automatic:
        raise bad_param(
            "You may only specify one of these parameters: automatic_payment_methods, allowed_payment_method_types.",
            "allowed_payment_method_types",
        )
    if allowed and "card" not in allowed:
        raise refused("This sandbox takes cards only; allow the type card.", param="allowed_payment_method_types")
    intent["allowed_payment_method_types"] = allowed
    intent["automatic_payment_methods"] = (
        None if allowed else {"allow_redirects": "always", "enabled": True, **(automatic or {})}
    )
    intent["payment_method_types"] = allowed or ["card"]


def _check_seller(sandbox: Sandbox, account: str) -> None:
    """Refuse a payment on behalf of a connected account without the capability card_payments."""
    seller = sandbox.find("account", account)
    if account != sandbox.platform and accounts.capability_status(sandbox, seller, "card_payments") != "active":
        raise refused(
            "Your account cannot currently make charges: its capability card_payments is not active.",
            code="insufficient_capabilities_for_charge",
        )


def _check_amount(amount: int, currency: str) -> None:
    least, step = currencies.least_charge(currency), currencies.step(currency)
    if amount < least:
        shown = currencies.shown(least, currency)
        raise bad_param(f"Amount must be at least {shown} {currency}", "amount", "amount_too_small")
    if amount > currencies.most_charge(currency):
        shown = currencies.shown(currencies.most_charge(currency), currency)
        raise bad_param(f"Amount must be no more than {shown}", "amount", "amount_too_large")
    if amount % step:
        raise bad_param(f"Amounts in {currency} must be divisible by {step}.", "amount", "parameter_invalid_integer")


def _check_references(sandbox: Sandbox, call: Call, intent: Doc) -> None:
    if intent["customer"]:
        living(sandbox, call, intent["customer"], param="customer")
    if intent["on_behalf_of"]:
        sandbox.find("account", intent["on_behalf_of"], param="on_behalf_of")
    card = (call.get("payment_method_options") or {}).get("card") or {}
    intent["payment_method_options"]["card"].update({name: value for name, value in card.items() if value is not None})


def _confirm(sandbox: Sandbox, call: Call, intent: Doc) -> Doc:
    return intents.confirm(
        sandbox,
        intent,
        return_url=call.get("return_url"),
        by_script=bool(call.get("use_stripe_sdk")),
        off_session=bool(call.get("off_session")),
        error_on_action=bool(call.get("error_on_requires_action")),
    )


@route("GET", "/v1/payment_intents", {**params.PAGE, "created": params.created(), "customer": Str()})
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List intents."""
    return listing.page(sandbox, call, "payment_intent", where=listing.filters(call, "customer"))


@route("GET", "/v1/payment_intents/{ident}", {"client_secret": Str()}, publishable=True)
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read an intent; a publishable key must show its client secret."""
    return visible(sandbox, known(sandbox, call, "payment_intent", ident))


@route("POST", "/v1/payment_intents/{ident}", {**CHANGEABLE, "amount": Amount(), "currency": Currency()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change an intent that is still open. Raises 400 for a finished one's terms."""
    intent = sandbox.find("payment_intent", ident, account=call.account)
    terms = call.params.keys() - {"metadata", "description", "receipt_email", "shipping", "transfer_group", "expand"}
    if terms and intent["status"] not in intents.OPEN:
        raise intents.unexpected(sandbox, intent, "update")
    amount, currency = call.get("amount", intent["amount"]), call.get("currency", intent["currency"])
    _check_amount(amount, currency)
    intent |= {"amount": amount, "currency": currency}
    call.taken(intent, *_COPIED[:-1], "capture_method")
    if "metadata" in call.params:
        intent["metadata"] = params.merge_metadata(intent["metadata"], call.params["metadata"])
    _check_references(sandbox, call, intent)
    intent["last_payment_error"] = None
    intents.choose_method(sandbox, intent, call.account, call.params)
    return sandbox.store.save(intent)


@route(
    "POST",
    "/v1/payment_intents/{ident}/confirm",
    {**ATTEMPT, **CONFIRMING, "client_secret": Str(), "capture_method": CHANGEABLE["capture_method"]},
    publishable=True,
)
def confirm(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Try to pay."""
    intent = known(sandbox, call, "payment_intent", ident)
    if intent["status"] not in intents.OPEN:
        raise intents.unexpected(sandbox, intent, "confirm")
    call.taken(intent, "receipt_email", "setup_future_usage", "shipping", "capture_method")
    _check_references(sandbox, call, intent)
    intents.choose_method(sandbox, intent, call.account, call.params)
    return visible(sandbox, _confirm(sandbox, call, intent))


@route(
    "POST",
    "/v1/payment_intents/{ident}/capture",
    {"amount_to_capture": Amount(), "metadata": Metadata(), "statement_descriptor": Str(), "final_capture": Bool()},
)
def capture(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Capture an authorization."""
    intent = sandbox.find("payment_intent", ident, account=call.account)
    if "metadata" in call.params:
        intent["metadata"] = params.merge_metadata(intent["metadata"], call.params["metadata"])
    return intents.capture(sandbox, intent, call.get("amount_to_capture"))


@route(
    "POST",
    "/v1/payment_intents/{ident}/cancel",
    {"cancellation_reason": Choice("duplicate", "fraudulent", "requested_by_customer", "abandoned")},
)
def cancel(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Cancel an intent."""
    intent = sandbox.find("payment_intent", ident, account=call.account)
    return intents.cancel(sandbox, intent, call.get("cancellation_reason"))


def known(sandbox: Sandbox, call: Call, kind: str, ident: str) -> Doc:
    """Return an intent of the caller; a client secret that is given must be its own."""
    intent = sandbox.find(kind, ident, account=call.account)
    secret = call.get("client_secret")
    if (call.publishable or secret) and secret != intent["client_secret"]:
        if secret is None:
            raise bad_param("Missing required param: client_secret.", "client_secret", "parameter_missing")
        raise ApiError(
            400,
            f"The client_secret provided does not match any associated {kind} on this account.",
            code=f"{kind}_invalid_parameter",
            param="client_secret",
            saved=False,
        )
    return intent
