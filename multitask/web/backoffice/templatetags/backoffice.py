"""Labels, tones and list rows for the back office's templates."""

from typing import Any

from django import template
from unfold.templatetags import unfold_list

from multitask.money import Money
from multitask.web.backoffice.base import labels
from multitask.web.pages.templatetags.money import money

register = template.Library()


@register.simple_tag
def label(family: str, value: str) -> str:
    """Return the label of a state or kind in the reader's language."""
    return labels.of(family, value)


@register.filter
def call_error(code: str) -> str:
    """Return the label of an error of a call, nothing for one that the provider words."""
    return labels.of("call_error", code) if labels.is_known("call_error", code) else ""


@register.simple_tag
def tone(family: str, value: str) -> str:
    """Return the colour class of a state."""
    return labels.tone(family, value)


@register.simple_tag
def minor(amount_minor: int, currency: str) -> Money:
    """Return an amount that a row keeps as a number as money."""
    return Money(amount_minor, currency)


@register.filter
def figure(amount: Money | int) -> str:
    """Return an amount of money, or a count, as people read it."""
    return money(amount) if isinstance(amount, Money) else str(amount)


@register.inclusion_tag("backoffice/parts/results.html")
def result_rows(cl: Any) -> dict[str, Any]:
    """Render the rows of a list with the cells that Unfold draws, in a table without scripts."""
    return {"headers": list(unfold_list.result_headers(cl)), "rows": list(unfold_list.results(cl))}
