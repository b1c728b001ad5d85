"""Write `sandboxes/stripe/shapes/*.json`: the fields of every object, and the event types, that the SDK declares.

Run it by hand after an upgrade of the SDK: `python -m tests.sandbox.write_shapes`.
The sandbox itself never imports the SDK; it reads the written names and fills what is missing with nulls.
"""

from __future__ import annotations

import json
import typing
from operator import attrgetter
from pathlib import Path
from typing import Any

import stripe
from stripe import ListObject, StripeObject

FOLDER = Path(__file__).parents[2] / "sandboxes" / "stripe" / "shapes"
_WORDS = (
    "Account AccountLink AccountSession Balance BalanceSettings BalanceTransaction BankAccount Capability Card "
    "Charge Customer Dispute Event LoginLink PaymentIntent PaymentMethod Payout Person Refund SetupAttempt "
    "SetupIntent Token Topup Transfer TransferReversal WebhookEndpoint File radar.EarlyFraudWarning"
)
CLASSES = _WORDS.split()
# `deleted` is declared by every class that can be deleted, and present on deleted objects alone.
ABSENT = {"OBJECT_NAME", "deleted"}
Shape = dict[str, Any]


def sdk_class(name: str) -> type[StripeObject]:
    """Return the SDK's class of a name, which may contain the name of its module."""
    cls: type[StripeObject] = attrgetter(name)(stripe)
    return cls


def shape_of(cls: type[StripeObject]) -> Shape:
    """Return the names declared by one SDK class, nested: a dict where it nests, "@" where it can be expanded."""
    return {name: _leaf(hint) for name, hint in cls.__annotations__.items() if name not in ABSENT}


def _leaf(hint: Any) -> Any:
    options = _options(hint)
    forward = [option for option in options if isinstance(option, typing.ForwardRef)]
    if forward:
        return "@" if str in options else None
    for option in options:
        if typing.get_origin(option) is list:
            return _leaf(typing.get_args(option)[0])
        if isinstance(option, type) and issubclass(option, StripeObject) and not issubclass(option, ListObject):
            return shape_of(option) or None
    return None


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)


def event_types() -> list[str]:
    """Return the types of event that the SDK declares for a webhook endpoint."""
    [listed] = typing.get_args(stripe.params.WebhookEndpointCreateParams.__annotations__["enabled_events"])
    return sorted(typing.get_args(listed))


def main() -> None:
    """Write one file per class, named by the object it describes, and the types of event."""
    FOLDER.mkdir(exist_ok=True)
    for name in CLASSES:
        cls: Any = sdk_class(name)
        text = json.dumps(shape_of(cls), indent=1, sort_keys=True)
        (FOLDER / f"{cls.OBJECT_NAME}.json").write_text(text + "\n")
    (FOLDER / "event_types.json").write_text(json.dumps(event_types(), indent=1) + "\n")


if __name__ == "__main__":
    main()
