"""Intentions: an order with the ways in which it can be paid, and the secret of its checkout page."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.paymob import errors, integrations, times
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.integrations import Integration
from sandboxes.paymob.objects import card_token, payment_key
from sandboxes.paymob.objects import order as orders
from sandboxes.paymob.sandbox import Sandbox

NO_INTEGRATION = "Integration ID/Name does not exist in our system."
DUPLICATE = "Duplicate order with same id."
# The longest time for paying, and what it is if none is given.
LONGEST = 3_110_400


def create(sandbox: Sandbox, given: Doc) -> Doc:
    """Create an intention with its order. Raises 400, 404 and 406."""
    methods = _integrations(given["payment_methods"])
    _check_items(given.get("items"), given["amount"])
    reference = given.get("special_reference")
    _check_reference(sandbox, reference)
    _check_cards(sandbox, given.get("card_tokens") or [])
    ident = sandbox.ids.new("pi_test_", 32)
    order = orders.create(
        sandbox, given["amount"], reference,
        items=given.get("items"), billing=given["billing_data"], extras=given.get("extras"),
        notification_url=given.get("notification_url"), redirection_url=given.get("redirection_url"), intention=ident,
    )  # fmt: skip
    expires_at = sandbox.clock.exact() + given.get("expiration", LONGEST)
    doc: Doc = {
        "id": ident,
        "object": "intention",
        "created": sandbox.clock.now(),
        "client_secret": sandbox.ids.new("egy_csk_test_", 32),
        "order": order["id"],
        "keys": _new_keys(sandbox, order, methods, expires_at),
        "customer": given.get("customer") or {},
        "card_tokens": given.get("card_tokens") or [],
        "expires_at": expires_at,
        "_moment": sandbox.clock.exact(),
    }
    return sandbox.keep(doc, parent=doc["client_secret"])


def update(sandbox: Sandbox, intention: Doc, given: Doc) -> Doc:
    """Change an intention that is not paid. Raises 400 and 406."""
    order = order_of(sandbox, intention)
    if given["accept_order_id"] != order["number"]:
        raise errors.field("accept_order_id", "This order does not belong to the client secret.")
    if order["paid"]:
        raise errors.detail(400, "The intention is paid already.")
    amount = int(given.get("amount") or order["amount"])
    _check_items(given.get("items"), amount)
    methods = _integrations(given["payment_methods"]) if "payment_methods" in given else None
    reference = given.get("special_reference")
    if reference is not None and reference != order["reference"]:
        _check_reference(sandbox, reference)
        orders.rename(sandbox, order, reference)
    order["amount"] = amount
    for field in ("items", "notification_url", "redirection_url", "extras"):
        order[field] = given.get(field, order[field])
    order["billing"] = given.get("billing_data", order["billing"])
    sandbox.store.save(order)
    if "expiration" in given:
        intention["expires_at"] = sandbox.clock.exact() + given["expiration"]
    if methods is not None:
        for key in intention["keys"]:
            sandbox.store.delete(key)
        intention["keys"] = _new_keys(sandbox, order, methods, intention["expires_at"])
    for key in keys_of(sandbox, intention):
        sandbox.store.save({**key, "amount": amount, "expires_at": intention["expires_at"]})
    return sandbox.store.save(intention)


def by_secret(sandbox: Sandbox, secret: str) -> Doc:
    """Return the intention with a client secret. Raises 404."""
    found = sandbox.store.find("intention", parent=secret, limit=1)
    if not found:
        raise errors.detail(404, "Not found.")
    return found[0]


def order_of(sandbox: Sandbox, intention: Doc) -> Doc:
    """Return the order of an intention."""
    return sandbox.find("order", intention["order"])


def keys_of(sandbox: Sandbox, intention: Doc) -> list[Doc]:
    """Return the payment keys of an intention, in the order of its methods."""
    return [sandbox.find("payment_key", ident) for ident in intention["keys"]]


def render(sandbox: Sandbox, doc: Doc) -> Doc:
    """Return an intention as the API answers it."""
    order = order_of(sandbox, doc)
    keys = keys_of(sandbox, doc)
    return {
        "payment_keys": [_shown_key(key, order) for key in keys],
        "redirection_url": order["redirection_url"],
        "intention_order_id": order["number"],
        "id": doc["id"],
        "intention_detail": {
            "amount": order["amount"],
            "items": order["items"],
            "currency": CURRENCY,
            "billing_data": order["billing"],
        },
        "client_secret": doc["client_secret"],
        "payment_methods": [_shown_method(integrations.by_id(key["integration"])) for key in keys],
        "special_reference": order["reference"],
        "extras": {"creation_extras": order["extras"], "confirmation_extras": None},
        "confirmed": bool(order["paid"]),
        "status": "confirmed" if order["paid"] else "intended",
        "created": times.written(doc["_moment"]),
        "card_detail": None,
        "card_tokens": doc["card_tokens"],
        "object": "paymentintention",
    }


def _shown_key(key: Doc, order: Doc) -> Doc:
    return {
        "integration": key["integration"],
        "key": key["id"],
        "gateway_type": integrations.by_id(key["integration"]).kind,
        "iframe_id": None,
        "order_id": order["number"],
        "redirection_url": order["redirection_url"],
        "save_card": False,
    }


def _shown_method(method: Integration) -> Doc:
    return {
        "integration_id": method.ident,
        "alias": None,
        "name": method.name,
        "method_type": method.kind,
        "currency": CURRENCY,
        "live": method.live,
        "use_cvc_with_moto": False,
    }


def _new_keys(sandbox: Sandbox, order: Doc, methods: list[Integration], expires_at: float) -> list[str]:
    """Return the ids of new keys, one for each method."""
    return [payment_key.create(sandbox, order, method, order["amount"], expires_at)["id"] for method in methods]


def _integrations(given: list[int | str]) -> list[Integration]:
    found = [integrations.find(one) for one in given]
    if not found or None in found:
        raise errors.detail(404, NO_INTEGRATION)
    return [one for one in found if one]


def _check_items(items: list[Doc] | None, amount: int) -> None:
    """Refuse items that do not sum to the amount.

    Paymob's documentation sums the amounts alone; its shop plugin and other programs send amounts of one piece and
    multiply them by the quantities (secondary). Both are taken.
    """
    if not items:
        return
    lines = sum(item["amount"] for item in items)
    pieces = sum(item["amount"] * (1 if item.get("quantity") is None else item["quantity"]) for item in items)
    if amount not in (lines, pieces):
        raise errors.with_body(406, {"code": "unmatched_item_prices"})


def _check_cards(sandbox: Sandbox, tokens: list[str]) -> None:
    """Refuse tokens of cards that were never saved; whether Paymob does, and with which body, is not known."""
    if any(card_token.by_token(sandbox, token) is None for token in tokens):
        raise errors.field("card_tokens", "The card token is not known.")


def _check_reference(sandbox: Sandbox, reference: str | None) -> None:
    """Refuse a reference of another order; which body Paymob answers then is not known."""
    if reference is not None and orders.is_used(sandbox, reference):
        raise errors.detail(400, DUPLICATE)
