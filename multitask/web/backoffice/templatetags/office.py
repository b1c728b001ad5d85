"""The machinery's words and the deeds' names, for templates."""

from typing import Any

from django import template
from unfold.templatetags import unfold_list

from multitask.money import Money
from multitask.users.actor import Power
from multitask.web.backoffice import roles, words

register = template.Library()


@register.simple_tag
def said(family: str, word: str) -> str:
    """Say a state or kind of the machinery in the reader's language."""
    return words.of(family, word)


@register.simple_tag
def tone(family: str, word: str) -> str:
    """Say how a state is to be coloured."""
    return words.tone(family, word)


@register.simple_tag
def verb(name: str) -> str:
    """What the button of a deed says."""
    from multitask.web.backoffice.deeds.confirmation import KNOWN

    return str(KNOWN[name].verb)


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], power: str) -> bool:
    """Say whether the reader's role grants a power."""
    return roles.may(context["request"], Power(power))


@register.simple_tag
def minor(amount_minor: int, currency: str) -> Money:
    """Make money of what a row keeps as a number."""
    return Money(amount_minor, currency)


@register.inclusion_tag("backoffice/parts/results.html")
def result_rows(cl: Any) -> dict[str, Any]:
    """The rows of a list, as Unfold draws their cells, in a table without scripts."""
    return {"headers": list(unfold_list.result_headers(cl)), "rows": list(unfold_list.results(cl))}
