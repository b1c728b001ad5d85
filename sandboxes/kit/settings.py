"""Settings that every offline provider takes at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DAY = 86_400
# Many providers retry webhooks for up to three days with growing pauses; the exact pauses are rarely published.
RETRY_PAUSES = (5, 30, 120, 600, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)


@dataclass(frozen=True)
class Settings:
    """The server's address, its data folder, and how webhooks are sent; durations in seconds."""

    host: str = "127.0.0.1"
    port: int = 12111
    data: Path | None = None
    seed: int | None = None
    public_url: str | None = None
    webhook_timeout: float = 10
    retry_pauses: tuple[float, ...] = RETRY_PAUSES
