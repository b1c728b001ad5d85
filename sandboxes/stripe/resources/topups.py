"""`/v1/topups`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.params import Choice, Either, Hash, Int, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.objects import bank_account
from sandboxes.stripe.objects import topup as topups
from sandboxes.stripe.params import Amount, Currency, Metadata
from sandboxes.stripe.sandbox import Sandbox

_RANGE = Either(Int(), Hash(gt=Int(), gte=Int(), lt=Int(), lte=Int()))


@route(
    "POST",
    "/v1/topups",
    {
        "amount": Amount(required=True),
        "currency": Currency(required=True),
        "description": Str(),
        "metadata": Metadata(),
        "source": Str(),
        "statement_descriptor": Str(longest=15),
        "transfer_group": Str(),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Take money from the platform's bank into its balance."""
    if call.account != sandbox.platform:
        raise ApiError(403, "Only a platform can top up its balance.")
    if call.get("source"):
        bank_account.details(sandbox, call.params["source"], "source")
    return topups.create(
        sandbox, call.account, {**call.params, "metadata": params.merge_metadata({}, call.get("metadata", {}))}
    )


@route(
    "GET",
    "/v1/topups",
    {
        **params.PAGE,
        "amount": _RANGE,
        "created": params.created(),
        "status": Choice("canceled", "failed", "pending", "succeeded"),
    },
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List top-ups."""
    amounts = listing.moments(call.get("amount"), "json_extract(doc, '$.amount')")
    return listing.page(sandbox, call, "topup", where=listing.filters(call, "status"), conditions=amounts)


@route("GET", "/v1/topups/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a top-up."""
    return sandbox.find("topup", ident, account=call.account)


@route("POST", "/v1/topups/{ident}", {"description": Str(), "metadata": Metadata()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the description or metadata of a top-up."""
    topup = sandbox.find("topup", ident, account=call.account)
    call.taken(topup, "description")
    if "metadata" in call.params:
        topup["metadata"] = params.merge_metadata(topup["metadata"], call.params["metadata"])
    return sandbox.store.save(topup)


@route("POST", "/v1/topups/{ident}/cancel")
def cancel(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Cancel a top-up that is still pending."""
    return topups.cancel(sandbox, sandbox.find("topup", ident, account=call.account))
