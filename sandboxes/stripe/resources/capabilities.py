"""`/v1/accounts/:id/capabilities`: what an account may do."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Bool
from sandboxes.kit.routing import route
from sandboxes.stripe.errors import missing
from sandboxes.stripe.listing import listed
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.resources.accounts import reachable, request_capability
from sandboxes.stripe.sandbox import Sandbox


@route("GET", "/v1/accounts/{ident}/capabilities")
def list_all(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """List the capabilities that were requested."""
    account = reachable(sandbox, call, ident)
    data = [sandbox.render(accounts.capability(sandbox, account, name)) for name in account["_capabilities"]]
    return listed(data, call.path)


@route("GET", "/v1/accounts/{ident}/capabilities/{name}")
def retrieve(sandbox: Sandbox, call: Call, ident: str, name: str) -> Doc:
    """Read one capability."""
    account = reachable(sandbox, call, ident)
    if name not in accounts.CAPABILITIES:
        raise missing("capability", name)
    return accounts.capability(sandbox, account, name)


@route("POST", "/v1/accounts/{ident}/capabilities/{name}", {"requested": Bool()})
def update(sandbox: Sandbox, call: Call, ident: str, name: str) -> Doc:
    """Request a capability, or give it up."""
    account = reachable(sandbox, call, ident)
    if name not in accounts.CAPABILITIES:
        raise missing("capability", name)
    before = sandbox.render(account)
    if "requested" in call.params:
        request_capability(sandbox, account, name, requested=bool(call.params["requested"]))
    accounts.reassess(sandbox, account, before)
    return accounts.capability(sandbox, account, name)
