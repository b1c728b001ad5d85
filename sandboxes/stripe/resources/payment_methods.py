"""`/v1/payment_methods`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Hash, Int, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.resources.customers import living
from sandboxes.stripe.sandbox import Sandbox


@route("POST", "/v1/payment_methods", methods.DATA, publishable=True)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create a payment method from a card's numbers or a token."""
    return methods.make(sandbox, call.account, call.params)


@route("GET", "/v1/payment_methods", {**params.PAGE, "customer": Str(), "type": Str(), "allow_redisplay": Str()})
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List payment methods; a customer's when one is named."""
    if call.get("customer"):
        living(sandbox, call, call.params["customer"], param="customer")
    return listing.page(
        sandbox, call, "payment_method", where=listing.filters(call, "customer", "type", "allow_redisplay")
    )


@route("GET", "/v1/payment_methods/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a payment method."""
    return methods.resolve(sandbox, call.account, ident, param="id")


@route(
    "POST",
    "/v1/payment_methods/{ident}",
    {
        "allow_redisplay": methods.REDISPLAY,
        "billing_details": methods.BILLING,
        "card": Hash(exp_month=Int(least=1, most=12), exp_year=Int(least=2000, most=2099)),
        "metadata": Metadata(),
    },
)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the fields of a saved payment method that may be changed."""
    method = sandbox.find("payment_method", ident, account=call.account)
    before = sandbox.render(method)
    if call.get("allow_redisplay"):
        method["allow_redisplay"] = call.params["allow_redisplay"]
    if call.get("billing_details"):
        method["billing_details"] = {**method["billing_details"], **call.params["billing_details"]}
    method["card"] |= {name: value for name, value in (call.get("card") or {}).items() if value is not None}
    if "metadata" in call.params:
        method["metadata"] = params.merge_metadata(method["metadata"], call.params["metadata"])
    sandbox.store.save(method)
    events.emit(sandbox, "payment_method.updated", method, before=before)
    return method


@route("POST", "/v1/payment_methods/{ident}/attach", {"customer": Str(required=True)})
def attach(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Save a payment method for a customer."""
    customer = living(sandbox, call, call.params["customer"], param="customer")
    method = methods.resolve(sandbox, call.account, ident, param="id")
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] or method["_used"]:
        raise refused(
            "The payment method you provided has already been attached to a customer."
            if method["customer"]
            else "This PaymentMethod was used without being attached to a Customer and may not be used again."
        )
    return methods.attach(sandbox, method, customer)


@route("POST", "/v1/payment_methods/{ident}/detach")
def detach(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Detach a payment method; it cannot be used again."""
    method = sandbox.find("payment_method", ident, account=call.account)
    if not method["customer"]:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = sandbox.find("customer", method["customer"])
    if customer["invoice_settings"].get("default_payment_method") == ident:
        customer["invoice_settings"]["default_payment_method"] = None
        sandbox.store.save(customer)
    methods.detach(sandbox, method)
    return method
