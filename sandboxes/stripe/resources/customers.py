"""`/v1/customers`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.identifiers import letters
from sandboxes.kit.params import Array, Choice, Email, Hash, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.errors import missing, refused
from sandboxes.stripe.objects import payment_method as methods
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.sandbox import Sandbox

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
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create a customer."""
    ident = sandbox.ids.new("cus_", 14)
    customer: Doc = {
        "id": ident,
        "object": "customer",
        "balance": 0,
        "created": sandbox.clock.now(),
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
    _change(sandbox, call, customer)
    sandbox.add(customer, call.account)
    if call.get("payment_method"):
        method = methods.resolve(sandbox, call.account, call.params["payment_method"])
        methods.attach(sandbox, method, customer)
    _choose_default(sandbox, call, customer)
    sandbox.store.save(customer)
    events.emit(sandbox, "customer.created", customer)
    return customer


def _change(sandbox: Sandbox, call: Call, customer: Doc) -> None:
    call.taken(customer, *_COPIED, "invoice_prefix")
    for name in ("preferred_locales", "tax_exempt"):
        if call.get(name) is not None:
            customer[name] = call.params[name]
    if "metadata" in call.params:
        customer["metadata"] = params.merge_metadata(customer["metadata"], call.params["metadata"])


def _choose_default(sandbox: Sandbox, call: Call, customer: Doc) -> None:
    given = call.get("invoice_settings")
    if given is None:
        return
    default = given.get("default_payment_method")
    if default:
        method = sandbox.find("payment_method", default, account=call.account, param="invoice_settings")
        if method["customer"] != customer["id"]:
            raise refused(
                "The customer does not have a payment method with the ID"
                f" {default}. The payment method must be attached to the customer.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    customer["invoice_settings"] = {**customer["invoice_settings"], **given}


@route("GET", "/v1/customers", {**params.PAGE, "created": params.created(), "email": Str()})
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List customers."""
    return listing.page(sandbox, call, "customer", where=listing.filters(call, "email"))


@route("GET", "/v1/customers/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a customer; a deleted one is only shown as deleted."""
    customer = sandbox.find("customer", ident, account=call.account)
    return _deleted(ident) if customer.get("_deleted") else customer


@route("POST", "/v1/customers/{ident}", UPDATE)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change a customer."""
    customer = living(sandbox, call, ident, param="id")
    before = sandbox.render(customer)
    _change(sandbox, call, customer)
    _choose_default(sandbox, call, customer)
    sandbox.store.save(customer)
    events.emit(sandbox, "customer.updated", customer, before=before)
    return customer


@route("DELETE", "/v1/customers/{ident}")
def delete(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Delete a customer and detach its payment methods."""
    customer = living(sandbox, call, ident, param="id")
    for method in sandbox.store.find("payment_method", parent=ident, where={"customer": ident}):
        methods.detach(sandbox, method)
    events.emit(sandbox, "customer.deleted", customer)
    customer["_deleted"] = True
    # Lists of customers do not contain deleted ones.
    sandbox.store.retire(customer)
    return _deleted(ident)


def _deleted(ident: str) -> Doc:
    return {"id": ident, "object": "customer", "deleted": True}


def living(sandbox: Sandbox, call: Call, ident: str, *, param: str) -> Doc:
    """Return a customer that was not deleted. Raises resource_missing."""
    customer = sandbox.find("customer", ident, account=call.account, param=param)
    if customer.get("_deleted"):
        raise missing("customer", ident, param=param)
    return customer


@route("GET", "/v1/customers/{ident}/payment_methods", {**params.PAGE, "type": Str(), "allow_redisplay": Str()})
def list_methods(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """List the saved payment methods of a customer."""
    living(sandbox, call, ident, param="id")
    where = {**listing.filters(call, "type", "allow_redisplay"), "customer": ident}
    return listing.page(sandbox, call, "payment_method", parent=ident, where=where)


@route("GET", "/v1/customers/{ident}/payment_methods/{method}")
def retrieve_method(sandbox: Sandbox, call: Call, ident: str, method: str) -> Doc:
    """Read one saved payment method of a customer."""
    living(sandbox, call, ident, param="id")
    doc = sandbox.find("payment_method", method, account=call.account)
    if doc["customer"] != ident:
        raise missing("payment_method", method)
    return doc
