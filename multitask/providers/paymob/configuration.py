"""The configuration of one Paymob account: collecting, its callbacks, and the separate contract for payouts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

API: Final = "https://accept.paymob.com"
PAYOUTS: Final = "https://payouts.paymobsolutions.com/api/secure"
PAYOUTS_STAGING: Final = "https://stagingpayouts.paymobsolutions.com/api/secure"

# Paymob takes no longer time for paying an intention.
LONGEST_CHECKOUT: Final = timedelta(days=36)
_MODE: Final = re.compile(r"egy_[sp]k_(live|test)_")


def mode(key: str) -> str:
    """Return the mode of a key, "live" or "test"; empty if unknown."""
    found = _MODE.match(key)
    return found.group(1) if found else ""


def is_live(secret_key: str) -> bool:
    """Return whether a secret key moves real money."""
    return mode(secret_key) == "live"


def always(_: str) -> timedelta | None:
    """Allow every inquiry."""
    return None


def system_time() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Keys, addresses, timeouts and bounds. Secrets stay out of `repr`, so that they cannot reach a log by accident.

    `api_key` is for reading; `integration_ids` are the ways to pay that the checkout page offers, and no payment
    counts that came another way. `checkout_lifetime` is for how long a payer may use a checkout page.
    `inquiry_allowed` is asked before each inquiry of a kind, "transactions" or "budget" of payouts, and returns how
    long to wait, None if it may be made; it has to count the inquiries of all processes.
    """

    secret_key: str = field(repr=False)
    public_key: str
    hmac_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    integration_ids: tuple[int, ...]
    api_base: str
    notification_url: str
    redirection_url: str
    payout_base: str
    payout_client_id: str = ""
    payout_client_secret: str = field(default="", repr=False)
    payout_username: str = ""
    payout_password: str = field(default="", repr=False)
    checkout_lifetime: timedelta = timedelta(days=15)
    inquiry_allowed: Callable[[str], timedelta | None] = always
    clock: Callable[[], datetime] = system_time
    connect_timeout_seconds: float = 3.0
    request_timeout_seconds: float = 6.0  # while a person waits
    read_timeout_seconds: float = 20.0  # in jobs
    requests_at_once: int = 4
    session: str = ""  # the path of a function that makes the HTTP session; empty for the network

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return is_live(self.secret_key)
