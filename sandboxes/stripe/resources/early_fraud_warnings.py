"""`/v1/radar/early_fraud_warnings`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Str
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.objects import early_fraud_warning
from sandboxes.stripe.sandbox import Sandbox


@route(
    "GET",
    "/v1/radar/early_fraud_warnings",
    {**params.PAGE, "created": params.created(), "charge": Str(), "payment_intent": Str()},
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List early fraud warnings."""
    where = listing.filters(call, "charge", "payment_intent")
    return listing.page(sandbox, call, early_fraud_warning.KIND, where=where)


@route("GET", "/v1/radar/early_fraud_warnings/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read an early fraud warning."""
    return sandbox.find(early_fraud_warning.KIND, ident, account=call.account)
