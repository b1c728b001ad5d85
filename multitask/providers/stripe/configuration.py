"""What the adapter must know to talk to one Stripe account."""

from dataclasses import dataclass, field

LIVE_PREFIXES = ("sk_live_", "rk_live_")


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
        return self.secret_key.startswith(LIVE_PREFIXES)
