"""What is done with a transaction later: refund, void, capture, and inquiries about it."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Param
from sandboxes.kit.routing import route
from sandboxes.paymob import errors
from sandboxes.paymob.objects import order as orders
from sandboxes.paymob.objects import reversal, transaction
from sandboxes.paymob.resources.fields import Amount, Text, Whole
from sandboxes.paymob.sandbox import Sandbox

_ONE: dict[str, Param] = {"transaction_id": Whole(required=True)}
_PART: dict[str, Param] = {**_ONE, "amount_cents": Amount(required=True)}


@route("POST", "/api/acceptance/void_refund/refund", _PART)
def refund(sandbox: Sandbox, call: Call) -> Doc:
    """Give a part or all of a payment back; the answer is the refund's own transaction."""
    paid = transaction.by_number(sandbox, call.params["transaction_id"])
    return sandbox.render(reversal.refund(sandbox, paid, call.params["amount_cents"]))


@route("POST", "/api/acceptance/void_refund/void", _ONE)
def void(sandbox: Sandbox, call: Call) -> Doc:
    """Cancel a card payment of the same day."""
    return sandbox.render(reversal.void(sandbox, transaction.by_number(sandbox, call.params["transaction_id"])))


@route("POST", "/api/acceptance/capture", _PART)
def capture(sandbox: Sandbox, call: Call) -> Doc:
    """Take the money of an authorization."""
    authorized = transaction.by_number(sandbox, call.params["transaction_id"])
    return sandbox.render(reversal.capture(sandbox, authorized, call.params["amount_cents"]))


@route("GET", "/api/acceptance/transactions/{number}")
def retrieve(sandbox: Sandbox, call: Call, number: str) -> Doc:
    """Read a transaction."""
    return sandbox.render(transaction.by_number(sandbox, number))


@route("POST", "/api/ecommerce/orders/transaction_inquiry", {"order_id": Whole(), "merchant_order_id": Text()})
def inquire(sandbox: Sandbox, call: Call) -> Doc:
    """Read the last transaction of an order, which a refund may be."""
    number, reference = call.get("order_id"), call.get("merchant_order_id")
    if (number is None) == (reference is None):
        raise errors.detail(400, "Give order_id or merchant_order_id.")
    order = orders.by_number(sandbox, number) if reference is None else orders.by_reference(sandbox, reference)
    last = transaction.last_of(sandbox, order) if order else None
    if last is None:
        raise errors.detail(404, "Not found.")
    return sandbox.render(last)
