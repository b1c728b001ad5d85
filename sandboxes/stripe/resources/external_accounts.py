"""`/v1/accounts/:id/external_accounts` and bank tokens."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param, missing_param
from sandboxes.kit.params import Bool, Choice, Either, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import cards, events, listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import bank_account, payment_method
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.resources.accounts import BANK, reachable
from sandboxes.stripe.sandbox import Sandbox


@route(
    "POST",
    "/v1/accounts/{ident}/external_accounts",
    {"external_account": Either(Str(), BANK, required=True), "default_for_currency": Bool(), "metadata": Metadata()},
)
def create(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Add a bank account, from a token or raw numbers."""
    account = reachable(sandbox, call, ident)
    before = sandbox.render(account)
    bank = bank_account.attach(
        sandbox, account, call.params["external_account"], param="external_account",
        default=call.get("default_for_currency"),
    )  # fmt: skip
    bank["metadata"] = params.merge_metadata({}, call.get("metadata", {}))
    sandbox.store.save(bank)
    accounts.reassess(sandbox, account, before)
    return bank


@route("GET", "/v1/accounts/{ident}/external_accounts", {**params.PAGE, "object": Choice("bank_account", "card")})
def list_all(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """List the bank accounts."""
    reachable(sandbox, call, ident)
    kind = call.get("object", "bank_account")
    return listing.page(sandbox, call, kind, parent=ident, scoped=False)


@route("GET", "/v1/accounts/{ident}/external_accounts/{bank}")
def retrieve(sandbox: Sandbox, call: Call, ident: str, bank: str) -> Doc:
    """Read one bank account."""
    reachable(sandbox, call, ident)
    return sandbox.find("bank_account", bank, account=ident)


@route(
    "POST",
    "/v1/accounts/{ident}/external_accounts/{bank}",
    {
        "account_holder_name": Str(),
        "account_holder_type": Choice("individual", "company"),
        "account_type": Choice("checking", "savings", "futsu", "toza"),
        "default_for_currency": Bool(),
        "metadata": Metadata(),
    },
)
def update(sandbox: Sandbox, call: Call, ident: str, bank: str) -> Doc:
    """Change the fields of a bank account that may be changed."""
    reachable(sandbox, call, ident)
    doc = sandbox.find("bank_account", bank, account=ident)
    before = sandbox.render(doc)
    details = ("account_holder_name", "account_holder_type", "account_type")
    call.taken(doc, *details)
    if call.params.keys() & set(details):
        doc["status"] = "new"
    if call.get("default_for_currency"):
        bank_account.undefault(sandbox, bank_account.of_currency(sandbox, ident, doc["currency"]))
        doc["default_for_currency"] = True
    if "metadata" in call.params:
        doc["metadata"] = params.merge_metadata(doc["metadata"], call.params["metadata"])
    sandbox.store.save(doc)
    events.emit(sandbox, "account.external_account.updated", doc, account=ident, before=before)
    return doc


@route("DELETE", "/v1/accounts/{ident}/external_accounts/{bank}")
def delete(sandbox: Sandbox, call: Call, ident: str, bank: str) -> Doc:
    """Remove a bank account; the default one only when it is the last."""
    account = reachable(sandbox, call, ident)
    doc = sandbox.find("bank_account", bank, account=ident)
    siblings = bank_account.of_currency(sandbox, ident, doc["currency"])
    if doc["default_for_currency"] and len(siblings) > 1:
        raise refused("You cannot delete the default external account for a currency; choose another default first.")
    before = sandbox.render(account)
    events.emit(sandbox, "account.external_account.deleted", doc, account=ident)
    sandbox.store.delete(bank)
    accounts.reassess(sandbox, account, before)
    return {"id": bank, "object": "bank_account", "deleted": True}


@route("POST", "/v1/tokens", {"bank_account": BANK, "card": payment_method.CARD}, publishable=True)
def tokenize(sandbox: Sandbox, call: Call) -> Doc:
    """Turn a bank account or a card into a token that can be used once."""
    token: Doc = {
        "id": "",
        "object": "token",
        "bank_account": None,
        "card": None,
        "client_ip": call.remote,
        "created": sandbox.clock.now(),
        "livemode": False,
        "used": False,
    }
    if call.get("bank_account"):
        details = bank_account.checked(call.params["bank_account"], "bank_account")
        bank = bank_account.build(sandbox, details)
        bank.pop("created")
        token |= {"id": sandbox.ids.new("btok_1"), "type": "bank_account", "bank_account": sandbox.render(bank)}
        token["_details"] = details
    elif call.get("card"):
        card, details = payment_method.card_of(sandbox, call.params["card"])
        token |= {
            "id": sandbox.ids.new("tok_1"),
            "type": "card",
            "card": payment_method.legacy_card(sandbox, card, details),
        }
        token["_card"], token["_details"] = card.name, details
    else:
        raise missing_param("bank_account")
    return sandbox.add(token, call.account)


@route("GET", "/v1/tokens/{ident}")
def retrieve_token(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read a token."""
    if cards.ready_made(ident):
        raise bad_param("A ready-made test token cannot be read.", "id")
    return sandbox.find("token", ident, account=call.account)
