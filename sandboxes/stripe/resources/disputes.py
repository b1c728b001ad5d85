"""`/v1/disputes`."""

from __future__ import annotations

from sandboxes.stripe import events, listing, params
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.objects import dispute as disputes
from sandboxes.stripe.params import Bool, Hash, Metadata, Str
from sandboxes.stripe.routing import route


@route(
    "GET",
    "/v1/disputes",
    {**params.PAGE, "created": params.created(), "charge": Str(), "payment_intent": Str()},
)
def list_all(box: Box, call: Call) -> Doc:
    """List disputes."""
    return listing.page(box, call, "dispute", where=listing.filters(call, "charge", "payment_intent"))


@route("GET", "/v1/disputes/{ident}")
def retrieve(box: Box, call: Call, ident: str) -> Doc:
    """Read a dispute."""
    return box.find("dispute", ident, account=call.account)


@route(
    "POST",
    "/v1/disputes/{ident}",
    {
        "evidence": Hash({name: Str(longest=20_000) for name in disputes.EVIDENCE}),
        "metadata": Metadata(),
        "submit": Bool(),
    },
)
def update(box: Box, call: Call, ident: str) -> Doc:
    """Answer a dispute; evidence is sent to the bank at once unless submit=false."""
    dispute = box.find("dispute", ident, account=call.account)
    if "metadata" in call.params:
        before = box.render(dispute)
        dispute["metadata"] = params.merge_metadata(dispute["metadata"], call.params["metadata"])
        box.store.save(dispute)
        events.emit(box, "charge.dispute.updated", dispute, before=before)
    if "evidence" in call.params or call.get("submit"):
        disputes.answer(box, dispute, call.get("evidence", {}), submit=call.get("submit", True))
    return dispute


@route("POST", "/v1/disputes/{ident}/close")
def close(box: Box, call: Call, ident: str) -> Doc:
    """Accept a dispute as lost, for good."""
    return disputes.conclude(box, box.find("dispute", ident, account=call.account), "lost")
