"""`/v1/transfers` and their reversals."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import missing_param
from sandboxes.kit.params import Bool, Choice, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.objects import balance_transaction
from sandboxes.stripe.objects import transfer as transfers
from sandboxes.stripe.params import Amount, Currency, Metadata
from sandboxes.stripe.sandbox import Sandbox


@route(
    "POST",
    "/v1/transfers",
    {
        "amount": Amount(),
        "currency": Currency(required=True),
        "destination": Str(required=True),
        "description": Str(),
        "metadata": Metadata(),
        "source_transaction": Str(),
        "source_type": Choice("card", "bank_account", "fpx"),
        "transfer_group": Str(),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Send money to a connected account: from a charge, even before it settles, or from the available balance."""
    currency, origin = call.params["currency"], call.get("source_transaction")
    destination = transfers.check_destination(sandbox, call.params["destination"], call.account)
    amount, charge = call.get("amount"), None
    if origin and amount is None:
        charge = sandbox.find("charge", origin, account=call.account, param="source_transaction")
        amount = transfers.whole(sandbox, charge)
    if amount is None:
        raise missing_param("amount")
    if origin:
        charge = transfers.source(sandbox, call.account, origin, amount=amount, currency=currency)
    funds = balance_transaction.of(sandbox, charge, "_balance_transaction") if charge else None
    if funds is None or funds["status"] == "available":
        transfers.require_available(sandbox, call.account, amount, currency)
    transfer = _fresh(sandbox, call, amount, destination)
    transfer["transfer_group"] = _group(sandbox, call, charge)
    transfers.move(sandbox, call.account, transfer, funds["available_on"] if funds else None)
    sandbox.add(transfer, call.account, parent=origin)
    events.emit(sandbox, "transfer.created", transfer)
    return transfer


def _fresh(sandbox: Sandbox, call: Call, amount: int, destination: Doc) -> Doc:
    return {
        "id": sandbox.ids.new("tr_1"),
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "created": sandbox.clock.now(),
        "currency": call.params["currency"],
        "description": call.get("description"),
        "destination": destination["id"],
        "livemode": False,
        "metadata": params.merge_metadata({}, call.get("metadata", {})),
        "reversed": False,
        "source_transaction": call.get("source_transaction"),
        "source_type": call.get("source_type", "card"),
    }


def _group(sandbox: Sandbox, call: Call, charge: Doc | None) -> str | None:
    """Return the group that a charge and its transfers share; one is created when neither has it."""
    given: str | None = call.get("transfer_group")
    if charge is None:
        return given
    group = given or charge["transfer_group"] or f"group_{charge['payment_intent'] or charge['id']}"
    if not charge["transfer_group"]:
        before = sandbox.render(charge)
        charge["transfer_group"] = group
        sandbox.store.save(charge)
        events.emit(sandbox, "charge.updated", charge, before=before)
    return str(group)


@route(
    "GET",
    "/v1/transfers",
    {**params.PAGE, "created": params.created(), "destination": Str(), "transfer_group": Str()},
)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List transfers."""
    return listing.page(sandbox, call, "transfer", where=listing.filters(call, "destination", "transfer_group"))


@route("GET", "/v1/transfers/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a transfer."""
    return sandbox.find("transfer", ident, account=call.account)


@route("POST", "/v1/transfers/{ident}", {"description": Str(), "metadata": Metadata()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change the description or metadata of a transfer."""
    transfer = sandbox.find("transfer", ident, account=call.account)
    before = sandbox.render(transfer)
    call.taken(transfer, "description")
    if "metadata" in call.params:
        transfer["metadata"] = params.merge_metadata(transfer["metadata"], call.params["metadata"])
    sandbox.store.save(transfer)
    events.emit(sandbox, "transfer.updated", transfer, before=before)
    return transfer


@route(
    "POST",
    "/v1/transfers/{ident}/reversals",
    {"amount": Amount(), "description": Str(), "metadata": Metadata(), "refund_application_fee": Bool()},
)
def reverse(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Reverse all or part of a transfer."""
    transfer = sandbox.find("transfer", ident, account=call.account)
    reversal: Doc = {
        "id": sandbox.ids.new("trr_1"),
        "object": "transfer_reversal",
        "amount": call.get("amount", transfer["amount"] - transfer["amount_reversed"]),
        "created": sandbox.clock.now(),
        "currency": transfer["currency"],
        "metadata": params.merge_metadata({}, call.get("metadata", {})),
        "source_refund": None,
        "transfer": ident,
    }
    return transfers.reverse(sandbox, call.account, transfer, reversal)


@route("GET", "/v1/transfers/{ident}/reversals", params.PAGE)
def list_reversals(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """List the reversals of a transfer."""
    sandbox.find("transfer", ident, account=call.account)
    return listing.page(sandbox, call, "transfer_reversal", parent=ident)


@route("GET", "/v1/transfers/{ident}/reversals/{reversal}")
def retrieve_reversal(sandbox: Sandbox, call: Call, ident: str, reversal: str) -> Doc:
    """Read a reversal."""
    sandbox.find("transfer", ident, account=call.account)
    return sandbox.find("transfer_reversal", reversal, account=call.account)


@route("POST", "/v1/transfers/{ident}/reversals/{reversal}", {"metadata": Metadata()})
def update_reversal(sandbox: Sandbox, call: Call, ident: str, reversal: str) -> Doc:
    """Change the metadata of a reversal."""
    sandbox.find("transfer", ident, account=call.account)
    doc = sandbox.find("transfer_reversal", reversal, account=call.account)
    if "metadata" in call.params:
        doc["metadata"] = params.merge_metadata(doc["metadata"], call.params["metadata"])
    return sandbox.store.save(doc)
