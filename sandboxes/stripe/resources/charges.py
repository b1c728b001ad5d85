"""`/v1/charges`: read, change descriptions and metadata, list refunds."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Email, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.resources.payment_intents import SHIPPING
from sandboxes.stripe.sandbox import Sandbox


@route(
    "GET",
    "/v1/charges",
    {
        **params.PAGE,
        "created": params.created(),
        "customer": Str(),
        "payment_intent": Str(),
        "transfer_group": Str(),
    },
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List charges."""
    where = listing.filters(call, "customer", "payment_intent", "transfer_group")
    return listing.page(sandbox, call, "charge", where=where)


@route("GET", "/v1/charges/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a charge."""
    return sandbox.find("charge", ident, account=call.account)


@route(
    "POST",
    "/v1/charges/{ident}",
    {
        "description": Str(),
        "metadata": Metadata(),
        "receipt_email": Email(),
        "shipping": SHIPPING,
        "transfer_group": Str(),
    },
)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the description or metadata of a charge."""
    return charges.update(sandbox, sandbox.find("charge", ident, account=call.account), call.params)


@route("GET", "/v1/charges/{ident}/refunds", params.PAGE)
def list_refunds(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """List the refunds of a charge."""
    sandbox.find("charge", ident, account=call.account)
    return listing.page(sandbox, call, "refund", parent=ident)
