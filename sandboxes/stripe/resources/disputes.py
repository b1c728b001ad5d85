"""`/v1/disputes`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Bool, Hash, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.objects import dispute as disputes
from sandboxes.stripe.objects import evidence
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.sandbox import Sandbox


@route(
    "GET",
    "/v1/disputes",
    {**params.PAGE, "created": params.created(), "charge": Str(), "payment_intent": Str()},
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List disputes."""
    return listing.page(sandbox, call, "dispute", where=listing.filters(call, "charge", "payment_intent"))


@route("GET", "/v1/disputes/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a dispute."""
    return sandbox.find("dispute", ident, account=call.account)


@route(
    "POST",
    "/v1/disputes/{ident}",
    {
        "evidence": Hash({name: Str(longest=20_000) for name in evidence.NAMES}),
        "metadata": Metadata(),
        "submit": Bool(),
    },
)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Respond to a dispute; evidence is sent to the bank at once unless submit=false."""
    dispute = sandbox.find("dispute", ident, account=call.account)
    if "metadata" in call.params:
        before = sandbox.render(dispute)
        dispute["metadata"] = params.merge_metadata(dispute["metadata"], call.params["metadata"])
        sandbox.store.save(dispute)
        events.emit(sandbox, "charge.dispute.updated", dispute, before=before)
    if "evidence" in call.params or call.get("submit"):
        disputes.answer(sandbox, dispute, call.get("evidence", {}), submit=call.get("submit", True))
    return dispute


@route("POST", "/v1/disputes/{ident}/close")
def close(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Accept a dispute as lost, for good."""
    return disputes.conclude(sandbox, sandbox.find("dispute", ident, account=call.account), "lost")
