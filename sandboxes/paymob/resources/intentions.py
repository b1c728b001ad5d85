"""`/v1/intention/`: create an intention, and change it before it is paid."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import AnyHash, Array, Choice, Email, Hash, Param, Str, Url
from sandboxes.kit.routing import route
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.objects import intention as intentions
from sandboxes.paymob.resources.fields import Amount, Ignored, IntOrName, Text, Whole
from sandboxes.paymob.sandbox import Sandbox

_ADDRESS: dict[str, Param] = {
    name: Text()
    for name in (
        "apartment", "floor", "building", "street", "city", "state", "country", "postal_code", "shipping_method",
        "extra_description",
    )
}  # fmt: skip
# That these four are required is known from older documentation.
_BILLING: dict[str, Param] = {
    "first_name": Str(required=True, longest=50),
    "last_name": Str(required=True, longest=50),
    "email": Email(required=True),
    "phone_number": Text(required=True, longest=25),
    **_ADDRESS,
}
# A discount is an item below zero (secondary).
_ITEM = Hash(
    name=Text(required=True, longest=50), amount=Whole(required=True, least=-(10**11), most=10**11),
    description=Str(longest=255), quantity=Whole(), image=Url(),
)  # fmt: skip
_COMMON: dict[str, Param] = {
    "items": Array(_ITEM),
    "extras": AnyHash(),
    "special_reference": Text(longest=100),
    "expiration": Whole(least=1, most=intentions.LONGEST),
    "notification_url": Url(),
    "redirection_url": Url(),
}
CREATE: dict[str, Param] = {
    **_COMMON,
    "amount": Amount(required=True),
    "currency": Choice(CURRENCY, required=True),
    "payment_methods": Array(IntOrName(), required=True),
    "billing_data": Hash(_BILLING, required=True),
    "customer": Hash(first_name=Str(), last_name=Str(), email=Email(), phone_number=Text(), extras=AnyHash()),
    "card_tokens": Array(Str(), most=3),
    **{name: Ignored() for name in ("expires_at", "shipping_details")},
}
UPDATE: dict[str, Param] = {
    **_COMMON,
    "accept_order_id": Whole(required=True),
    "amount": Amount(),
    "payment_methods": Array(IntOrName()),
    "billing_data": Hash(_BILLING),
    "expires_at": Ignored(),
}


@route("POST", "/v1/intention/", CREATE, status=201)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create an intention."""
    given = {name: value for name, value in call.params.items() if value is not None}
    return sandbox.render(intentions.create(sandbox, given))


@route("PUT", "/v1/intention/{secret}", UPDATE)
def update(sandbox: Sandbox, call: Call, secret: str) -> Doc:
    """Change the amount, the ways to pay, how long they last, the billing data, the reference or the addresses."""
    given = {name: value for name, value in call.params.items() if value is not None}
    return sandbox.render(intentions.update(sandbox, intentions.by_secret(sandbox, secret), given))
