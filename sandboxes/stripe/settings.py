"""What can be set when the sandbox starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DAY = 86_400
API_VERSION = "2026-10-28.endive"
# Stripe retries for up to three days with growing pauses; the exact pauses are not published.
RETRY_PAUSES = (5, 30, 120, 600, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)


@dataclass(frozen=True)
class Webhook:
    """An endpoint given at start: its address, its secret, and whose events it gets."""

    url: str
    secret: str
    connect: bool = False


@dataclass(frozen=True)
class Settings:
    """All settings, in seconds and minor units."""

    host: str = "127.0.0.1"
    port: int = 12111
    data: Path | None = None
    seed: int | None = None
    public_url: str | None = None
    settle_after: float = 2 * DAY
    payout_after: float = 2 * DAY
    verify_after: float = 0
    balance_transaction_after: float = 0
    link_lifetime: int = 300
    fee_basis_points: int = 290
    fee_fixed: int = 30
    dispute_fee: int = 1_500
    dispute_counter_fee: int = 0
    refund_shortfall: str = "pending"
    platform_country: str = "US"
    webhook_timeout: float = 10
    retry_pauses: tuple[float, ...] = RETRY_PAUSES
    webhooks: tuple[Webhook, ...] = field(default=())
