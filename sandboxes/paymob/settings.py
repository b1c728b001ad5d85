"""The settings of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from sandboxes.kit import settings

DAY = settings.DAY

# Not a secret: what developers verify the callbacks of their own sandbox with, unless they choose another.
DEFAULT_HMAC = "sandbox_hmac"


@dataclass(frozen=True)
class Settings(settings.Settings):
    """All settings, in seconds, piastres and basis points.

    Paymob publishes no fees: those of collecting and of payouts are examples. `callback_url` receives the callbacks of
    payments whose intention names no `notification_url`; `payout_callback_url` those of payouts by bank.
    `bank_wallets_are_bank`: inquiries find payouts to bank wallets under `bank_transactions`, else without it.
    `inquiries_by_get`: POST is refused for inquiries about payouts, which Paymob's own examples make by GET.
    """

    port: int = 12112
    # Paymob has published no schedule of retries, so each callback is sent once.
    retry_pauses: tuple[float, ...] = ()
    hmac_secret: str = DEFAULT_HMAC
    callback_url: str | None = None
    payout_callback_url: str | None = None
    fee_basis_points: int = 275
    fee_fixed: int = 300
    payout_fee_basis_points: int = 50
    payout_fee_fixed: int = 200
    vat_basis_points: int = 1_400
    budget: int = 0
    payout_after: float = 3_600
    return_after: float = DAY
    inquiries_per_minute: int = 5
    bank_wallets_are_bank: bool = True
    inquiries_by_get: bool = False
