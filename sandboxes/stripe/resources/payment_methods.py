"""`/v1/payment_methods`."""

from __future__ import annotations

from sandboxes.stripe import events, listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.params import Hash, Int, Metadata, Str
from sandboxes.stripe.resources.customers import living
from sandboxes.stripe.routing import route


@route("POST", "/v1/payment_methods", methods.DATA, publishable=True)
def create(box: Box, call: Call) -> Doc:
    """Create a payment method from a card's numbers or a token."""
    return methods.make(box, call.account, call.params)


@route("GET", "/v1/payment_methods", {**params.PAGE, "customer": Str(), "type": Str(), "allow_redisplay": Str()})
def list_all(box: Box, call: Call) -> Doc:
    """List payment methods; a customer's when one is named."""
    if call.get("customer"):
        living(box, call, call.params["customer"], param="customer")
    return listing.page(box, call, "payment_method", where=listing.filters(call, "customer", "type", "allow_redisplay"))


@route("GET", "/v1/payment_methods/{ident}")
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read a payment method."""
    return methods.resolve(box, call.account, ident, param="id")


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
def update(box: Box, call: Call, ident: str) -> Doc:
    """Change what may be changed of a saved payment method."""
    method = box.find("payment_method", ident, account=call.account)
    before = box.render(method)
    if call.get("allow_redisplay"):
        method["allow_redisplay"] = call.params["allow_redisplay"]
    if call.get("billing_details"):
        method["billing_details"] = {**method["billing_details"], **call.params["billing_details"]}
    method["card"] |= {name: value for name, value in (call.get("card") or {}).items() if value is not None}
    if "metadata" in call.params:
        method["metadata"] = params.merge_metadata(method["metadata"], call.params["metadata"])
    box.store.save(method)
    events.emit(box, "payment_method.updated", method, before=before)
    return method


@route("POST", "/v1/payment_methods/{ident}/attach", {"customer": Str(required=True)})
def attach(box: Box, call: Call, ident: str) -> Doc:
    """Save a payment method for a customer."""
    customer = living(box, call, call.params["customer"], param="customer")
    method = methods.resolve(box, call.account, ident, param="id")
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] or method["_used"]:
        raise refused(
            "The payment method you provided has already been attached to a customer."
            if method["customer"]
            else "This PaymentMethod was used without being attached to a Customer and may not be used again."
        )
    return methods.attach(box, method, customer)


@route("POST", "/v1/payment_methods/{ident}/detach")
def detach(box: Box, call: Call, ident: str) -> Doc:
    """Let go of a payment method; it cannot be used again."""
    method = box.find("payment_method", ident, account=call.account)
    if not method["customer"]:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    before = box.render(method)
    customer = box.find("customer", method["customer"])
    method |= {"customer": None, "_used": True}
    box.store.save(method)
    if customer["invoice_settings"].get("default_payment_method") == ident:
        customer["invoice_settings"]["default_payment_method"] = None
        box.store.save(customer)
    events.emit(box, "payment_method.detached", method, before=before)
    return method
