"""`/v1/payouts`."""

from __future__ import annotations

from sandboxes.stripe import events, listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.params import Amount, Choice, Currency, Either, Hash, Int, Metadata, Str
from sandboxes.stripe.routing import route

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
def create(box: Box, call: Call) -> Doc:
    """Send available money to a bank account of the calling account."""
    given = {**call.params, "metadata": params.merge_metadata({}, call.get("metadata", {}))}
    return payouts.create(box, box.find("account", call.account), given, automatic=False)


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
def list_all(box: Box, call: Call) -> Doc:
    """List payouts."""
    where = listing.filters(call, "destination", "status")
    dates = listing.moments(call.get("arrival_date"), "json_extract(doc, '$.arrival_date')")
    return listing.page(box, call, "payout", where=where, conditions=dates)


@route("GET", "/v1/payouts/{ident}")
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read a payout."""
    return box.find("payout", ident, account=call.account)


@route("POST", "/v1/payouts/{ident}", {"metadata": Metadata()})
def update(box: Box, call: Call, ident: str) -> Doc:
    """Change the metadata of a payout."""
    payout = box.find("payout", ident, account=call.account)
    before = box.render(payout)
    if "metadata" in call.params:
        payout["metadata"] = params.merge_metadata(payout["metadata"], call.params["metadata"])
    box.store.save(payout)
    events.emit(box, "payout.updated", payout, before=before)
    return payout


@route("POST", "/v1/payouts/{ident}/cancel")
def cancel(box: Box, call: Call, ident: str) -> Doc:
    """Take back a payout that is still pending."""
    return payouts.cancel(box, box.find("payout", ident, account=call.account))
