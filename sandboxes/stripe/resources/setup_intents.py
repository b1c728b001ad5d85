"""`/v1/setup_intents`: saving a card without charging it."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Bool, Choice, Hash, Param, Str, Url
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.objects import setup_intent as intents
from sandboxes.stripe.objects.visibility import visible
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.resources.customers import living
from sandboxes.stripe.resources.payment_intents import AUTOMATIC, MANDATE, NoLongerTaken, known
from sandboxes.stripe.sandbox import Sandbox

ATTEMPT: dict[str, Param] = {
    "payment_method": Str(),
    "payment_method_data": methods.IN_INTENT,
    "payment_method_options": Hash(card=Hash(request_three_d_secure=Choice("any", "automatic", "challenge"))),
    "payment_method_types": NoLongerTaken(),
    "mandate_data": MANDATE,
}
CHANGEABLE: dict[str, Param] = {
    **ATTEMPT,
    "customer": Str(),
    "description": Str(longest=1000),
    "metadata": Metadata(),
    "allowed_payment_method_types": Array(Str()),
}
CREATE = {
    **CHANGEABLE,
    "automatic_payment_methods": AUTOMATIC,
    "confirm": Bool(),
    "return_url": Url(),
    "usage": Choice("off_session", "on_session"),
    "use_stripe_sdk": Bool(),
}


@route("POST", "/v1/setup_intents", CREATE)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create a setup intent, and confirm it when asked."""
    allowed, automatic = call.get("allowed_payment_method_types"), call.get("automatic_payment_methods")
    if allowed and automatic:
        raise bad_param(
            "You may only specify one of these parameters: automatic_payment_methods, allowed_payment_method_types.",
            "allowed_payment_method_types",
        )
    ident = sandbox.ids.new("seti_1")
    intent: Doc = {
        "id": ident,
        "object": "setup_intent",
        "allowed_payment_method_types": allowed,
        "automatic_payment_methods": (
            None if allowed else {"allow_redirects": "always", "enabled": True, **(automatic or {})}
        ),
        "client_secret": f"{ident}_secret_{sandbox.ids.new('', 31)}",
        "created": sandbox.clock.now(),
        "customer": None,
        "description": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": allowed or ["card"],
        "status": "requires_payment_method",
        "usage": call.get("usage", "off_session"),
    }
    sandbox.add(intent, call.account)
    _change(sandbox, call, intent)
    events.emit(sandbox, "setup_intent.created", intent)
    if call.get("confirm"):
        return intents.confirm(
            sandbox, intent, return_url=call.get("return_url"), by_script=bool(call.get("use_stripe_sdk"))
        )
    return intent


def _confirm(sandbox: Sandbox, call: Call, intent: Doc) -> Doc:
    return intents.confirm(
        sandbox, intent, return_url=call.get("return_url"), by_script=bool(call.get("use_stripe_sdk"))
    )


def _change(sandbox: Sandbox, call: Call, intent: Doc) -> None:
    if call.get("customer"):
        living(sandbox, call, call.params["customer"], param="customer")
    call.taken(intent, "customer", "description")
    if "metadata" in call.params:
        intent["metadata"] = params.merge_metadata(intent["metadata"], call.params["metadata"])
    asked = ((call.get("payment_method_options") or {}).get("card") or {}).get("request_three_d_secure")
    if asked:
        intent["payment_method_options"]["card"]["request_three_d_secure"] = asked
    intents.choose_method(sandbox, intent, call.account, call.params)
    sandbox.store.save(intent)


@route(
    "GET",
    "/v1/setup_intents",
    {**params.PAGE, "created": params.created(), "customer": Str(), "payment_method": Str()},
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List setup intents."""
    return listing.page(sandbox, call, "setup_intent", where=listing.filters(call, "customer", "payment_method"))


@route("GET", "/v1/setup_intents/{ident}", {"client_secret": Str()}, publishable=True)
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a setup intent; a publishable key must show its client secret."""
    return visible(sandbox, known(sandbox, call, "setup_intent", ident))


@route("POST", "/v1/setup_intents/{ident}", CHANGEABLE)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change a setup intent that is still open."""
    intent = sandbox.find("setup_intent", ident, account=call.account)
    intents.require_open(sandbox, intent, "update")
    _change(sandbox, call, intent)
    return intent


@route(
    "POST",
    "/v1/setup_intents/{ident}/confirm",
    {**ATTEMPT, "client_secret": Str(), "return_url": Url(), "use_stripe_sdk": Bool()},
    publishable=True,
)
def confirm(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Try to save the card."""
    intent = known(sandbox, call, "setup_intent", ident)
    intents.require_open(sandbox, intent, "confirm")
    _change(sandbox, call, intent)
    return visible(
        sandbox,
        intents.confirm(sandbox, intent, return_url=call.get("return_url"), by_script=bool(call.get("use_stripe_sdk"))),
    )


@route(
    "POST",
    "/v1/setup_intents/{ident}/cancel",
    {"cancellation_reason": Choice("abandoned", "requested_by_customer", "duplicate")},
)
def cancel(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Cancel a setup intent."""
    intent = sandbox.find("setup_intent", ident, account=call.account)
    return intents.cancel(sandbox, intent, call.get("cancellation_reason"))
