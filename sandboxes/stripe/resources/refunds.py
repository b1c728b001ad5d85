"""`/v1/refunds`."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param, missing_param
from sandboxes.kit.params import Bool, Choice, Email, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import refund as refunds
from sandboxes.stripe.params import Amount, Currency, Metadata
from sandboxes.stripe.sandbox import Sandbox


@route(
    "POST",
    "/v1/refunds",
    {
        "amount": Amount(),
        "charge": Str(),
        "currency": Currency(),
        "instructions_email": Email(),
        "metadata": Metadata(),
        "payment_intent": Str(),
        "reason": Choice("duplicate", "fraudulent", "requested_by_customer"),
        "refund_application_fee": Bool(),
        "reverse_transfer": Bool(),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Refund the card that paid; transfers are not reversed."""
    if call.get("reverse_transfer") or call.get("refund_application_fee"):
        raise refused(
            "Only destination charges carry a transfer or an application fee; reverse the transfer itself.",
            param="reverse_transfer" if call.get("reverse_transfer") else "refund_application_fee",
        )
    given = {**call.params, "metadata": params.merge_metadata({}, call.get("metadata", {}))}
    return refunds.create(sandbox, call.account, _charge(sandbox, call), given)


def _charge(sandbox: Sandbox, call: Call) -> Doc:
    charge, intent = call.get("charge"), call.get("payment_intent")
    if charge and intent:
        found = sandbox.find("charge", charge, account=call.account, param="charge")
        if found["payment_intent"] != intent:
            raise bad_param("The charge does not belong to the payment_intent.", "charge")
        return found
    if charge:
        return sandbox.find("charge", charge, account=call.account, param="charge")
    if not intent:
        raise missing_param("payment_intent")
    found = sandbox.find("payment_intent", intent, account=call.account, param="payment_intent")
    if found["status"] != "succeeded":
        raise refused(
            f"This PaymentIntent ({intent}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            param="payment_intent",
        )
    return sandbox.find("charge", found["latest_charge"])


@route(
    "GET",
    "/v1/refunds",
    {**params.PAGE, "created": params.created(), "charge": Str(), "payment_intent": Str()},
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List refunds."""
    return listing.page(sandbox, call, "refund", where=listing.filters(call, "charge", "payment_intent"))


@route("GET", "/v1/refunds/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a refund."""
    return sandbox.find("refund", ident, account=call.account)


@route("POST", "/v1/refunds/{ident}", {"metadata": Metadata()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the metadata of a refund."""
    refund = sandbox.find("refund", ident, account=call.account)
    before = sandbox.render(refund)
    if "metadata" in call.params:
        refund["metadata"] = params.merge_metadata(refund["metadata"], call.params["metadata"])
    sandbox.store.save(refund)
    refunds.announce(sandbox, refund, before)
    return refund


@route("POST", "/v1/refunds/{ident}/cancel")
def cancel(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Cancel a refund that waits for funds."""
    return refunds.cancel(sandbox, sandbox.find("refund", ident, account=call.account))
