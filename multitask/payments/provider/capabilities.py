"""The capabilities of a provider, declared by its adapter and respected by commands and the operation engine."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from multitask.payments.provider.objects import Embedded, Redirect


class RouteKind(StrEnum):
    """Where released money is held until it is paid out."""

    CONNECTED = "connected"  # in the payee's account at the provider
    PLATFORM = "platform"  # with the platform, which pays it out from its own balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do.

    `supports` holds the protocols of `provider.protocols` that the adapter implements, `currencies` those that can be
    collected, held and paid out, `countries` those of the payees. `key_lifetime` is how long an idempotency key is
    honoured, None when keys are not. `finds_by_reference` is whether an object can be looked up by our reference.
    `payments_expire_after` is how long after its creation a payment can be begun where payments only expire and cannot
    be cancelled; money may come later for what was begun. None where a cancelled payment certainly cannot be paid.
    `longest_hold` is for how long collected money may stay before it is paid out, None without a limit.
    `shown_fields` are the fields of its webhooks whose values are stored and shown to staff, `last_four_fields` those
    of which the last four characters are; all other values are masked before anything is stored.
    """

    supports: frozenset[type]
    kinds: frozenset[RouteKind]
    currencies: frozenset[str]
    countries: frozenset[str]
    continuation: type[Embedded] | type[Redirect]
    key_lifetime: timedelta | None
    finds_by_reference: bool
    payments_expire_after: timedelta | None = None
    longest_hold: timedelta | None = None
    shown_fields: frozenset[str] = frozenset()
    last_four_fields: frozenset[str] = frozenset()

    @property
    def honours_keys(self) -> bool:
        """Whether two calls under the same idempotency key have one effect."""
        return self.key_lifetime is not None
