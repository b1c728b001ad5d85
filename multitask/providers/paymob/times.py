"""Paymob's dates: without a zone they are Cairo's (secondary)."""

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

CAIRO: Final = ZoneInfo("Africa/Cairo")


def parse(value: object) -> datetime | None:
    """Return a date as a moment in UTC; None for what is not one."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=CAIRO)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(moment: datetime) -> date:
    """Return the day of a moment in Cairo."""
    return moment.astimezone(CAIRO).date()
