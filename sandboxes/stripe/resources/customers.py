"""`/v1/customers`."""

from __future__ import annotations

from sandboxes.stripe import events, listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import missing, refused
from sandboxes.stripe.identifiers import letters
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.params import Array, Choice, Email, Hash, Metadata, Str
from sandboxes.stripe.routing import route

UPDATE = {
    "address": Hash(params.ADDRESS),
    "description": Str(),
    "email": Email(longest=512),
    "invoice_prefix": Str(),
    "invoice_settings": Hash(default_payment_method=Str(), footer=Str()),
    "metadata": Metadata(),
    "name": Str(longest=256),
    "phone": Str(longest=20),
    "preferred_locales": Array(Str()),
    "shipping": Hash(address=Hash(params.ADDRESS), name=Str(), phone=Str()),
    "tax_exempt": Choice("none", "exempt", "reverse"),
}
_COPIED = ("address", "description", "email", "name", "phone", "shipping")


@route("POST", "/v1/customers", {**UPDATE, "payment_method": Str()})
def create(box: Box, call: Call) -> Doc:
    """Create a customer."""
    ident = box.ids.new("cus_", 14)
    customer: Doc = {
        "id": ident,
        "object": "customer",
        "balance": 0,
        "created": box.clock.now(),
        "delinquent": False,
        "invoice_prefix": call.get("invoice_prefix") or letters(ident, 8).upper(),
        "invoice_settings": {},
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        **dict.fromkeys(_COPIED),
    }
    _change(box, call, customer)
    box.add(customer, call.account)
    if call.get("payment_method"):
        method = methods.resolve(box, call.account, call.params["payment_method"])
        methods.attach(box, method, customer)
    _choose_default(box, call, customer)
    box.store.save(customer)
    events.emit(box, "customer.created", customer)
    return customer


def _change(box: Box, call: Call, customer: Doc) -> None:
    call.taken(customer, *_COPIED, "invoice_prefix")
    for name in ("preferred_locales", "tax_exempt"):
        if call.get(name) is not None:
            customer[name] = call.params[name]
    if "metadata" in call.params:
        customer["metadata"] = params.merge_metadata(customer["metadata"], call.params["metadata"])


def _choose_default(box: Box, call: Call, customer: Doc) -> None:
    given = call.get("invoice_settings")
    if given is None:
        return
    default = given.get("default_payment_method")
    if default:
        method = box.find("payment_method", default, account=call.account, param="invoice_settings")
        if method["customer"] != customer["id"]:
            raise refused(
                "The customer does not have a payment method with the ID"
                f" {default}. The payment method must be attached to the customer.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    customer["invoice_settings"] = {**customer["invoice_settings"], **given}


@route("GET", "/v1/customers", {**params.PAGE, "created": params.created(), "email": Str()})
def list_all(box: Box, call: Call) -> Doc:
    """List customers."""
    return listing.page(box, call, "customer", where=listing.filters(call, "email"))


@route("GET", "/v1/customers/{ident}")
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read a customer; of a deleted one only that is left."""
    customer = box.find("customer", ident, account=call.account)
    return _deleted(ident) if customer.get("_deleted") else customer


@route("POST", "/v1/customers/{ident}", UPDATE)
def update(box: Box, call: Call, ident: str) -> Doc:
    """Change a customer."""
    customer = living(box, call, ident, param="id")
    before = box.render(customer)
    _change(box, call, customer)
    _choose_default(box, call, customer)
    box.store.save(customer)
    events.emit(box, "customer.updated", customer, before=before)
    return customer


@route("DELETE", "/v1/customers/{ident}")
def delete(box: Box, call: Call, ident: str) -> Doc:
    """Delete a customer and let go of its payment methods."""
    customer = living(box, call, ident, param="id")
    for method in box.store.find("payment_method", parent=ident, where={"customer": ident}):
        method["customer"] = None
        box.store.save(method)
    events.emit(box, "customer.deleted", customer)
    customer["_deleted"] = True
    # A page of customers lists the living alone: the deleted ones leave their kind's listing.
    box.store.retire(customer)
    return _deleted(ident)


def _deleted(ident: str) -> Doc:
    return {"id": ident, "object": "customer", "deleted": True}


def living(box: Box, call: Call, ident: str, *, param: str) -> Doc:
    """Return a customer that was not deleted. Raises resource_missing."""
    customer = box.find("customer", ident, account=call.account, param=param)
    if customer.get("_deleted"):
        raise missing("customer", ident, param=param)
    return customer


@route("GET", "/v1/customers/{ident}/payment_methods", {**params.PAGE, "type": Str(), "allow_redisplay": Str()})
def list_methods(box: Box, call: Call, ident: str) -> Doc:
    """List the saved payment methods of a customer."""
    living(box, call, ident, param="id")
    where = {**listing.filters(call, "type", "allow_redisplay"), "customer": ident}
    return listing.page(box, call, "payment_method", parent=ident, where=where)


@route("GET", "/v1/customers/{ident}/payment_methods/{method}")
def retrieve_method(box: Box, call: Call, ident: str, method: str) -> Doc:
    """Read one saved payment method of a customer."""
    living(box, call, ident, param="id")
    doc = box.find("payment_method", method, account=call.account)
    if doc["customer"] != ident:
        raise missing("payment_method", method)
    return doc
