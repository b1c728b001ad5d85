"""The settings of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandboxes.kit import settings

DAY = settings.DAY
API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True)
class Webhook:
    """An endpoint given at start: its address, its secret, and whether it gets the connected accounts' events."""

    url: str
    secret: str
    connect: bool = False


@dataclass(frozen=True)
class Settings(settings.Settings):
    """All settings, in seconds and minor units."""

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
    webhooks: tuple[Webhook, ...] = field(default=())
