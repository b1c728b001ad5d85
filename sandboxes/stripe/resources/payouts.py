"""`/v1/payouts`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Choice, Either, Hash, Int, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.params import Amount, Currency, Metadata
from sandboxes.stripe.sandbox import Sandbox

_RANGE = Either(Int(), Hash(gt=Int(), gte=Int(), lt=Int(), lte=Int()))


@route(
    "POST",
    "/v1/payouts",
    {
        "amount": Amount(required=True),
        "currency": Currency(required=True),
        "description": Str(),
        "destination": Str(),
        "metadata": Metadata(),
        "method": Choice("standard", "instant"),
        "source_type": Choice("card", "bank_account", "fpx"),
        "statement_descriptor": Str(longest=22),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Send available money to a bank account of the calling account."""
    given = {**call.params, "metadata": params.merge_metadata({}, call.get("metadata", {}))}
    return payouts.create(sandbox, sandbox.find("account", call.account), given, automatic=False)


@route(
    "GET",
    "/v1/payouts",
    {
        **params.PAGE,
        "created": params.created(),
        "arrival_date": _RANGE,
        "destination": Str(),
        "status": Choice("pending", "paid", "failed", "canceled", "in_transit"),
    },
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List payouts."""
    where = listing.filters(call, "destination", "status")
    dates = listing.moments(call.get("arrival_date"), "json_extract(doc, '$.arrival_date')")
    return listing.page(sandbox, call, "payout", where=where, conditions=dates)


@route("GET", "/v1/payouts/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a payout."""
    return sandbox.find("payout", ident, account=call.account)


@route("POST", "/v1/payouts/{ident}", {"metadata": Metadata()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the metadata of a payout."""
    payout = sandbox.find("payout", ident, account=call.account)
    before = sandbox.render(payout)
    if "metadata" in call.params:
        payout["metadata"] = params.merge_metadata(payout["metadata"], call.params["metadata"])
    sandbox.store.save(payout)
    events.emit(sandbox, "payout.updated", payout, before=before)
    return payout


@route("POST", "/v1/payouts/{ident}/cancel")
def cancel(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Cancel a payout that is still pending."""
    return payouts.cancel(sandbox, sandbox.find("payout", ident, account=call.account))
