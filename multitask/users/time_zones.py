"""Time zones that users can have; a stored name that is no longer known counts as UTC."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

UTC = ZoneInfo("UTC")
# A file of some systems for their own setting: no name that another system or PostgreSQL would know.
_NOT_A_NAME = frozenset({"localtime"})


@cache
def names() -> frozenset[str]:
    """Return the names of all known time zones."""
    return frozenset(available_timezones()) - _NOT_A_NAME


def named(name: str) -> ZoneInfo:
    """Return the time zone of this name; UTC if it is unknown, such as one that was removed since it was stored."""
    return ZoneInfo(name) if name in names() else UTC
