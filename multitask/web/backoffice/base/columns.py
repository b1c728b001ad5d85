"""Cells that several lists share."""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from multitask.web.backoffice.base import labels, links
from multitask.web.pages.base import labels as page_labels


def badge(family: str, value: str) -> SafeString:
    """Return a state's label in its colour."""
    return format_html('<span class="o-badge {}">{}</span>', labels.tone(family, value), labels.of(family, value))


def mono(text: str | None) -> SafeString:
    """Return an id in a fixed-width font, to be compared letter by letter."""
    return format_html('<span class="o-mono">{}</span>', text or "–")


def person(user: Any) -> SafeString:
    """Return a user name that links to the person's page."""
    if user is None:
        return format_html("{}", "–")
    return format_html('<a href="{}">{}</a>', links.of(user), user.username)


def escrow_link(escrow_id: int | None) -> SafeString:
    """Return the number of an escrow that links to its page."""
    if escrow_id is None:
        return format_html("{}", "–")
    return format_html('<a href="{}">{}</a>', links.escrow(escrow_id), _("Escrow %(id)s") % {"id": escrow_id})


def why(sentence: str) -> str:
    """Return why something failed, in the reader's language if the sentence is known."""
    return page_labels.explanation(sentence) or "–"


def outside_label(is_outside: bool) -> str:
    """Return who moved the money: the platform, or somebody at the payment provider without us."""
    return _("made at the payment provider") if is_outside else _("us")
