"""Moments as Paymob writes them: naive, in Cairo's time (known from integrations, not from its documentation)."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

CAIRO = ZoneInfo("Africa/Cairo")


def written(moment: float) -> str:
    """Return a moment as callbacks and the API of collecting carry it: 2026-03-01T10:15:30.123456."""
    return _local(moment).isoformat(timespec="microseconds")


def written_by_payouts(moment: float) -> str:
    """Return a moment as payouts carry it: 2026-03-01 10:15:30.123456."""
    return _local(moment).isoformat(sep=" ", timespec="microseconds")


def day(moment: float) -> date:
    """Return the day in Cairo, on which a payment can be voided."""
    return _local(moment).date()


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, CAIRO).replace(tzinfo=None)
