"""`/v1/accounts/:id/capabilities`: what an account may do."""

from __future__ import annotations

from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc, listed
from sandboxes.stripe.errors import missing
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.params import Bool
from sandboxes.stripe.resources.accounts import reachable, request_capability
from sandboxes.stripe.routing import route


@route("GET", "/v1/accounts/{ident}/capabilities")
def list_all(box: Box, call: Call, ident: str) -> Doc:
    """List the capabilities that were asked for."""
    account = reachable(box, call, ident)
    data = [box.render(accounts.capability(box, account, name)) for name in account["_capabilities"]]
    return listed(data, call.path)


@route("GET", "/v1/accounts/{ident}/capabilities/{name}")
def retrieve(box: Box, call: Call, ident: str, name: str) -> Doc:
    """Read one capability."""
    account = reachable(box, call, ident)
    if name not in accounts.CAPABILITIES:
        raise missing("capability", name)
    return accounts.capability(box, account, name)


@route("POST", "/v1/accounts/{ident}/capabilities/{name}", {"requested": Bool()})
def update(box: Box, call: Call, ident: str, name: str) -> Doc:
    """Ask for a capability, or give it up."""
    account = reachable(box, call, ident)
    if name not in accounts.CAPABILITIES:
        raise missing("capability", name)
    before = box.render(account)
    if "requested" in call.params:
        request_capability(box, account, name, requested=bool(call.params["requested"]))
    accounts.reassess(box, account, before)
    return accounts.capability(box, account, name)
