"""`/v1/charges`: read, change the words on them, refunds of one charge."""

from __future__ import annotations

from sandboxes.stripe import listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.objects import charge as charges
from sandboxes.stripe.params import Email, Metadata, Str
from sandboxes.stripe.resources.payment_intents import SHIPPING
from sandboxes.stripe.routing import route


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
def list_all(box: Box, call: Call) -> Doc:
    """List charges."""
    where = listing.filters(call, "customer", "payment_intent", "transfer_group")
    return listing.page(box, call, "charge", where=where)


@route("GET", "/v1/charges/{ident}")
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read a charge."""
    return box.find("charge", ident, account=call.account)


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
def update(box: Box, call: Call, ident: str) -> Doc:
    """Change the words on a charge."""
    return charges.update(box, box.find("charge", ident, account=call.account), call.params)


@route("GET", "/v1/charges/{ident}/refunds", params.PAGE)
def list_refunds(box: Box, call: Call, ident: str) -> Doc:
    """List the refunds of a charge."""
    box.find("charge", ident, account=call.account)
    return listing.page(box, call, "refund", parent=ident)
