"""Days and months in the reader's time zone, as moments."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone


def reader_zone() -> ZoneInfo:
    """Return the time zone of the signed-in user."""
    zone = timezone.get_current_timezone()
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


def start_of_day(day: date) -> datetime:
    """Return the moment at which a day begins in the reader's time zone."""
    return datetime.combine(day, time.min, tzinfo=reader_zone())


def day_after(day: date) -> date:
    """Return the next day; for the last date that Python knows, that date."""
    return day if day == date.max else day + timedelta(days=1)


def month_starts(last: date, count: int) -> list[date]:
    """Return the first days of `count` consecutive months that end with the month of `last`."""
    months = [last.year * 12 + last.month - 1 - back for back in range(count - 1, -1, -1)]
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def interval_bounds(start: date, end: date) -> list[datetime]:
    """Return the bounds of a statement's subtotals: hours for one day, days up to two months, else months."""
    stop = start_of_day(day_after(end))
    if start == end:
        hours = [start_of_day(start) + timedelta(hours=hour) for hour in range(25)]
        return [*(hour for hour in hours if hour < stop), stop]
    if end - start <= timedelta(days=62):
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    else:
        count = (end.year - start.year) * 12 + end.month - start.month + 1
        days = [start, *month_starts(end, count)[1:]]
    return [*(start_of_day(day) for day in days), stop]
