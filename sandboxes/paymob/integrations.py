"""The payment integrations of the sandbox's only merchant: an id and a name for each way to pay."""

from __future__ import annotations

from dataclasses import dataclass

MERCHANT = 4_004
# The user of the merchant's account, which callbacks call the owner.
OWNER = 4_005
IFRAME = 7_001


@dataclass(frozen=True)
class Integration:
    """A way to pay. `kind` is card, wallet or kiosk; `captures`: a payment is captured at once, not only authorized."""

    ident: int
    name: str
    kind: str
    captures: bool = True
    secure: bool = True
    live: bool = False


ALL = (
    Integration(2_001, "card", "card"),
    Integration(2_002, "wallet", "wallet"),
    Integration(2_003, "kiosk", "kiosk"),
    # Saved cards are charged without 3-D Secure and without the payer.
    Integration(2_004, "moto", "card", secure=False),
    Integration(2_005, "card-auth", "card", captures=False),
    # A live integration does not fit the test keys, which are the only ones that the sandbox takes.
    Integration(2_901, "card-live", "card", live=True),
)


def find(given: int | str) -> Integration | None:
    """Return the test integration with an id or a name."""
    for one in ALL:
        if str(given) in (str(one.ident), one.name) and not one.live:
            return one
    return None


def by_id(ident: int) -> Integration:
    """Return the integration with an id."""
    return next(one for one in ALL if one.ident == ident)
