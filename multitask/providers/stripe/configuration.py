"""The configuration of one Stripe account."""

import re
from dataclasses import dataclass, field
from typing import Final

_MODE: Final = re.compile(r"(?:sk|rk|pk)_(live|test)_")


def mode(key: str) -> str:
    """Return the mode of a key, "live" or "test"; empty if unknown."""
    found = _MODE.match(key)
    return found.group(1) if found else ""


def is_live(secret_key: str) -> bool:
    """Return whether a secret key moves real money."""
    return mode(secret_key) == "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Keys, address, timeouts and bounds. Secrets stay out of `repr`, so that they cannot reach a log by accident."""

    secret_key: str = field(repr=False)
    publishable_key: str
    webhook_secret: str = field(repr=False)
    connect_webhook_secret: str = field(repr=False)
    api_base: str
    platform_country: str = "US"
    connect_timeout_seconds: float = 3.0
    request_timeout_seconds: float = 6.0  # while a person waits
    read_timeout_seconds: float = 20.0  # in jobs
    requests_at_once: int = 4
    session: str = ""  # the path of a function that makes the HTTP session; empty for the network

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return is_live(self.secret_key)
