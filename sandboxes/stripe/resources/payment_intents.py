"""`/v1/payment_intents`."""

from __future__ import annotations

from typing import Any

from sandboxes.stripe import currencies, events, listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError, bad_param, refused
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import payment_intent as intents
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects.disclosure import disclosed
from sandboxes.stripe.params import (
    Amount,
    Array,
    Bool,
    BoolOrWord,
    Choice,
    Currency,
    Email,
    Hash,
    Int,
    Metadata,
    Param,
    Str,
    Url,
)
from sandboxes.stripe.resources.customers import living
from sandboxes.stripe.routing import route

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
    """A parameter that this version of the API refuses with a code of its own."""

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
def create(box: Box, call: Call) -> Doc:
    """Create an intent, and confirm it when asked."""
    _check_amount(call.params["amount"], call.params["currency"])
    _check_seller(box, call.account)
    intent = _fresh(box, call)
    _check_references(box, call, intent)
    box.add(intent, call.account)
    intents.choose_method(box, intent, call.account, call.params)
    box.store.save(intent)
    events.emit(box, "payment_intent.created", intent)
    if call.get("confirm"):
        return _confirm(box, call, intent)
    for name in ("return_url", "off_session", "error_on_requires_action"):
        if call.get(name):
            raise bad_param(f"`{name}` can only be passed with `confirm=true`.", name)
    return intent


def _fresh(box: Box, call: Call) -> Doc:
    ident = box.ids.new("pi_3")
    intent: Doc = {
        "id": ident,
        "object": "payment_intent",
        "amount": call.params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": call.get("capture_method", "automatic_async"),
        "client_secret": f"{ident}_secret_{box.ids.new('', 25)}",
        "confirmation_method": call.get("confirmation_method", "automatic"),
        "created": box.clock.now(),
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


def _check_seller(box: Box, account: str) -> None:
    """A connected account sells in its own name only with the capability for it."""
    seller = box.find("account", account)
    if account != box.platform and accounts.capability_status(box, seller, "card_payments") != "active":
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


def _check_references(box: Box, call: Call, intent: Doc) -> None:
    if intent["customer"]:
        living(box, call, intent["customer"], param="customer")
    if intent["on_behalf_of"]:
        box.find("account", intent["on_behalf_of"], param="on_behalf_of")
    card = (call.get("payment_method_options") or {}).get("card") or {}
    intent["payment_method_options"]["card"].update({name: value for name, value in card.items() if value is not None})


def _confirm(box: Box, call: Call, intent: Doc) -> Doc:
    return intents.confirm(
        box,
        intent,
        return_url=call.get("return_url"),
        by_script=bool(call.get("use_stripe_sdk")),
        off_session=bool(call.get("off_session")),
        error_on_action=bool(call.get("error_on_requires_action")),
    )


@route("GET", "/v1/payment_intents", {**params.PAGE, "created": params.created(), "customer": Str()})
def list_all(box: Box, call: Call) -> Doc:
    """List intents."""
    return listing.page(box, call, "payment_intent", where=listing.filters(call, "customer"))


@route("GET", "/v1/payment_intents/{ident}", {"client_secret": Str()}, publishable=True)
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read an intent; a publishable key must show its client secret."""
    return disclosed(box, known(box, call, "payment_intent", ident))


@route("POST", "/v1/payment_intents/{ident}", {**CHANGEABLE, "amount": Amount(), "currency": Currency()})
def update(box: Box, call: Call, ident: str) -> Doc:
    """Change an intent that is still open; a finished one keeps its terms."""
    intent = box.find("payment_intent", ident, account=call.account)
    terms = call.params.keys() - {"metadata", "description", "receipt_email", "shipping", "transfer_group", "expand"}
    if terms and intent["status"] not in intents.OPEN:
        raise intents.unexpected(box, intent, "update")
    amount, currency = call.get("amount", intent["amount"]), call.get("currency", intent["currency"])
    _check_amount(amount, currency)
    intent |= {"amount": amount, "currency": currency}
    call.taken(intent, *_COPIED[:-1], "capture_method")
    if "metadata" in call.params:
        intent["metadata"] = params.merge_metadata(intent["metadata"], call.params["metadata"])
    _check_references(box, call, intent)
    intent["last_payment_error"] = None
    intents.choose_method(box, intent, call.account, call.params)
    return box.store.save(intent)


@route(
    "POST",
    "/v1/payment_intents/{ident}/confirm",
    {**ATTEMPT, **CONFIRMING, "client_secret": Str(), "capture_method": CHANGEABLE["capture_method"]},
    publishable=True,
)
def confirm(box: Box, call: Call, ident: str) -> Doc:
    """Try to pay."""
    intent = known(box, call, "payment_intent", ident)
    if intent["status"] not in intents.OPEN:
        raise intents.unexpected(box, intent, "confirm")
    call.taken(intent, "receipt_email", "setup_future_usage", "shipping", "capture_method")
    _check_references(box, call, intent)
    intents.choose_method(box, intent, call.account, call.params)
    return disclosed(box, _confirm(box, call, intent))


@route(
    "POST",
    "/v1/payment_intents/{ident}/capture",
    {"amount_to_capture": Amount(), "metadata": Metadata(), "statement_descriptor": Str(), "final_capture": Bool()},
)
def capture(box: Box, call: Call, ident: str) -> Doc:
    """Take authorized money."""
    intent = box.find("payment_intent", ident, account=call.account)
    if "metadata" in call.params:
        intent["metadata"] = params.merge_metadata(intent["metadata"], call.params["metadata"])
    return intents.capture(box, intent, call.get("amount_to_capture"))


@route(
    "POST",
    "/v1/payment_intents/{ident}/cancel",
    {"cancellation_reason": Choice("duplicate", "fraudulent", "requested_by_customer", "abandoned")},
)
def cancel(box: Box, call: Call, ident: str) -> Doc:
    """Give up an intent."""
    intent = box.find("payment_intent", ident, account=call.account)
    return intents.cancel(box, intent, call.get("cancellation_reason"))


def known(box: Box, call: Call, kind: str, ident: str) -> Doc:
    """Return an intent of the caller; a client secret that is given must be its own."""
    intent = box.find(kind, ident, account=call.account)
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
