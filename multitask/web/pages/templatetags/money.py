"""Amounts, dates and times in the reader's language and time zone."""

import uuid
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel import dates as babel_dates
from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from multitask.money import Money
from multitask.web.pages.base import status_labels

register = template.Library()


def reader_locale() -> Locale:
    """Return the locale of the active language."""
    try:
        return Locale.parse((get_language() or "en").replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


@register.filter
def money(value: Money | None) -> str:
    """Format an amount with its currency and all decimals: 1,234.50 USD as $1,234.50."""
    if value is None:
        return ""
    # A true minus sign, as `signed` writes it: a line may break after a hyphen.
    return value.localized(str(reader_locale())) if value.amount_minor >= 0 else signed(-value, "\u2212")


@register.filter
def signed(value: Money, sign: str) -> str:
    """Format an amount with its currency and a sign."""
    return value.localized(str(reader_locale()), sign)


@register.filter
def major(value: Money | None) -> str:
    """Format an amount for a form field: 1234.50."""
    return "" if value is None else value.to_major_string()


@register.filter
def day(value: datetime | date | None) -> str:
    """Format a date: 23 Nov 2026."""
    if value is None:
        return ""
    local = timezone.localtime(value).date() if isinstance(value, datetime) else value
    return str(babel_dates.format_date(local, "medium", locale=reader_locale()))


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """Format a date and time, in a `<time>` element."""
    if value is None:
        return ""
    zone = timezone.get_current_timezone()
    shown = babel_dates.format_datetime(
        value, "medium", tzinfo=zone if isinstance(zone, ZoneInfo) else None, locale=reader_locale()
    )
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), shown)


@register.filter
def ago(value: datetime | None) -> str:
    """Format the distance from now: "in 3 days"."""
    if value is None:
        return ""
    delta = value - timezone.now()
    return str(babel_dates.format_timedelta(delta, add_direction=True, locale=reader_locale()))


@register.filter
def country(code: str) -> str:
    """Return the name of a country: Germany for DE."""
    return str(reader_locale().territories.get(code, code))


@register.filter
def status_label(word: str) -> str:
    """Return the label of a state."""
    return status_labels.label(word)


@register.filter
def tone(word: str) -> str:
    """Return the colour class of a state: good, waiting, bad or plain."""
    return status_labels.tone(word)


@register.simple_tag
def request_key() -> SafeString:
    """Return the hidden field with a new request key, so that a form that is sent twice takes effect once."""
    return format_html('<input type="hidden" name="request_key" value="{}">', uuid.uuid4())
