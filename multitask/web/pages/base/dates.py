"""Days and months where the reader lives, as moments."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone


def own_zone() -> ZoneInfo:
    """The zone of whoever is signed in."""
    zone = timezone.get_current_timezone()
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


def midnight(day: date) -> datetime:
    """The moment at which a day begins."""
    return datetime.combine(day, time.min, tzinfo=own_zone())


def day_after(day: date) -> date:
    """The next day; the last day that there is stays."""
    return day if day == date.max else day + timedelta(days=1)


def month_starts(last: date, count: int) -> list[date]:
    """The first days of `count` months, of which the last is the month of `last`."""
    months = [last.year * 12 + last.month - 1 - back for back in range(count - 1, -1, -1)]
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def cuts(start: date, end: date) -> list[datetime]:
    """Where a statement from `start` through `end` is summed: hours of one day, days of two months, else months."""
    stop = midnight(day_after(end))
    if start == end:
        hours = [midnight(start) + timedelta(hours=hour) for hour in range(25)]
        return [*(hour for hour in hours if hour < stop), stop]
    if end - start <= timedelta(days=62):
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    else:
        count = (end.year - start.year) * 12 + end.month - start.month + 1
        days = [start, *month_starts(end, count)[1:]]
    return [*(midnight(day) for day in days), stop]
