"""`/v1/files`, which the SDK sends to a host of its own."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Choice, File
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.objects import file as files
from sandboxes.stripe.sandbox import Sandbox


@route(
    "POST",
    "/v1/files",
    {"file": File(required=True), "purpose": Choice(*files.LARGEST, required=True)},
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Upload a file."""
    return files.create(sandbox, call.account, call.params["file"], call.params["purpose"])


@route("GET", "/v1/files", {**params.PAGE, "created": params.created(), "purpose": Choice(*files.LARGEST)})
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List files."""
    return listing.page(sandbox, call, "file", where=listing.filters(call, "purpose"))


@route("GET", "/v1/files/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read what a file is."""
    return sandbox.find("file", ident, account=call.account)
