"""`/v1/events`: what happened in the last thirty days."""

from __future__ import annotations

import json

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Bool, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.errors import missing
from sandboxes.stripe.events import KEPT_SECONDS
from sandboxes.stripe.sandbox import Sandbox

# A page binds one value per condition, so the types travel as one JSON list.
_OF_TYPE = "EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE json_extract(doc, '$.type') GLOB wanted.value)"
_UNDELIVERED = "SELECT event FROM deliveries WHERE status <> 'succeeded'"


@route(
    "GET",
    "/v1/events",
    {
        **params.PAGE,
        "created": params.created(),
        "type": Str(),
        "types": Array(Str(), most=20),
        "delivery_success": Bool(),
    },
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List events of the calling account, by type and by whether they were delivered."""
    kind, kinds = call.get("type"), call.get("types")
    if kind and kinds:
        raise bad_param("You may only specify one of these parameters: type, types.", "types")
    conditions: listing.Conditions = (("created >= ?", sandbox.clock.now() - KEPT_SECONDS),)
    wanted = kinds or ([kind] if kind else [])
    if wanted:
        conditions += ((_OF_TYPE, json.dumps(wanted)),)
    if call.get("delivery_success") is not None:
        word = "NOT IN" if call.params["delivery_success"] else "IN"
        conditions += ((f"(id {word} ({_UNDELIVERED}) AND ? = 1)", 1),)
    return listing.page(sandbox, call, "event", conditions=conditions)


@route("GET", "/v1/events/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read an event of the last thirty days."""
    event = sandbox.find("event", ident, account=call.account)
    if event["created"] < sandbox.clock.now() - KEPT_SECONDS:
        raise missing("event", ident)
    return event
