"""The older API of collecting: a token for the API key, an order, a payment key, and paying with it."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import AnyHash, Array, Bool, Choice, Hash, Str
from sandboxes.kit.routing import route
from sandboxes.paymob import authentication, errors, integrations
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.objects import intention as intentions
from sandboxes.paymob.objects import order as orders
from sandboxes.paymob.objects import payment, payment_key, redirect, transaction
from sandboxes.paymob.resources.fields import Amount, Ignored, Text, Whole
from sandboxes.paymob.sandbox import Sandbox

_SECONDS = 3_600
WALLET, KIOSK, TOKEN = "WALLET", "AGGREGATOR", "TOKEN"
_KINDS = {WALLET: "wallet", KIOSK: "kiosk", TOKEN: "card"}


@route("POST", "/api/auth/tokens", {"api_key": Str(required=True)}, status=201)
def authenticate(sandbox: Sandbox, call: Call) -> Doc:
    """Exchange the API key for a token that is valid for an hour."""
    if not authentication.is_api_key(call.params["api_key"]):
        raise errors.detail(403, "incorrect credentials")
    profile = {"id": integrations.MERCHANT, "user": {"id": integrations.OWNER}, "company_name": "Sandbox merchant"}
    return {"profile": profile, "token": authentication.new_auth_token(sandbox)}


@route(
    "POST",
    "/api/ecommerce/orders",
    {
        "amount_cents": Amount(required=True),
        "currency": Choice(CURRENCY),
        "delivery_needed": Bool(),
        "merchant_order_id": Text(longest=100),
        "items": Array(AnyHash()),
        "notify_user_with_email": Bool(),
        "shipping_data": AnyHash(),
        "shipping_details": Ignored(),
    },
    status=201,
)
def create_order(sandbox: Sandbox, call: Call) -> Doc:
    """Create an order, whose reference no other has."""
    reference = call.get("merchant_order_id")
    if reference and orders.is_used(sandbox, reference):
        raise errors.message(422, "duplicate")
    made = orders.create(sandbox, call.params["amount_cents"], reference, items=call.get("items"))
    return orders.shown(made)


@route("GET", "/api/ecommerce/orders/{number}")
def retrieve_order(sandbox: Sandbox, call: Call, number: str) -> Doc:
    """Read an order with all its transactions, the newest first."""
    order = orders.by_number(sandbox, number)
    return {**orders.shown(order), "transactions": [sandbox.render(one) for one in transaction.all_of(sandbox, order)]}


@route(
    "POST",
    "/api/acceptance/payment_keys",
    {
        "amount_cents": Amount(required=True),
        "expiration": Whole(least=1, most=400 * 86_400),
        "order_id": Whole(required=True),
        "billing_data": AnyHash(required=True),
        "currency": Choice(CURRENCY, required=True),
        "integration_id": Whole(required=True),
        "lock_order_when_paid": Bool(),
    },
    status=201,
)
def create_key(sandbox: Sandbox, call: Call) -> Doc:
    """Create the permission to pay an order by one integration."""
    order = orders.by_number(sandbox, call.params["order_id"])
    integration = integrations.find(call.params["integration_id"])
    if integration is None:
        raise errors.detail(404, intentions.NO_INTEGRATION)
    if call.params["amount_cents"] != order["amount"]:
        raise errors.field("amount_cents", "The amount is not that of the order.")
    order["billing"] = call.params["billing_data"]
    sandbox.store.save(order)
    expires_at = sandbox.clock.exact() + call.get("expiration", _SECONDS)
    key = payment_key.create(sandbox, order, integration, order["amount"], expires_at)
    return {"token": key["id"]}


@route(
    "POST",
    "/api/acceptance/payments/pay",
    {
        "payment_token": Str(required=True),
        "source": Hash(
            identifier=Str(required=True), subtype=Choice(WALLET, KIOSK, TOKEN, required=True), cvn=Str(), required=True
        ),
    },
)
def pay(sandbox: Sandbox, call: Call) -> Doc:
    """Pay by wallet, at a kiosk or by a saved card; a payer who is asked something goes to `redirect_url`."""
    key = payment_key.find(sandbox, call.params["payment_token"])
    identifier, subtype = call.params["source"]["identifier"], call.params["source"]["subtype"]
    if payment_key.integration_of(key).kind != _KINDS[subtype]:
        raise errors.detail(400, "The source does not fit the integration.")
    if subtype == WALLET:
        doc = payment.by_wallet(sandbox, key, identifier)
    elif subtype == KIOSK:
        doc = payment.at_kiosk(sandbox, key)
    else:
        doc = payment.by_token(sandbox, key, identifier)
    asked = doc["status"] == transaction.PENDING and doc["_challenge"]
    url = f"{sandbox.base_url}{payment.challenge_path(doc)}" if asked else None
    if subtype == TOKEN:
        return redirect.answer(sandbox, doc, url)
    return {**sandbox.render(doc), "redirect_url": url, "redirection_url": url, "iframe_redirection_url": url}
