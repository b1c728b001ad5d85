"""Columns and filters that several lists share."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.web.backoffice import addresses, open_questions, words
from multitask.web.backoffice.listing import Chips, ReadOnly
from multitask.web.pages.templatetags.money import moment, money


class Waiting(Chips):
    """What waits for the staff among the rows of a list, by the same questions that the home page counts."""

    title = _("Waits for us")
    parameter_name = "waits"

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The rows of the question."""
        asked = next(each for each in open_questions.QUESTIONS if each.query == f"waits={chosen}")
        return queryset.filter(pk__in=asked.rows(timezone.now()).values("pk"))


def waiting(**choices: Any) -> type[Chips]:
    """The filter with those questions, by the words of the query."""
    return type("WaitingHere", (Waiting,), {"choices_in_words": choices})


def badge(family: str, word: str) -> SafeString:
    """A state in words and colour."""
    return format_html('<span class="o-badge {}">{}</span>', words.tone(family, word), words.of(family, word))


def mono(text: str | None) -> SafeString:
    """An id, which people compare letter by letter."""
    return format_html('<span class="o-mono">{}</span>', text or "–")


def person(user: Any) -> SafeString:
    """Somebody, with the way to their page."""
    if user is None:
        return format_html("{}", "–")
    return format_html('<a href="{}">{}</a>', addresses.of(user), user.username)


def escrow_link(escrow_id: int | None) -> SafeString:
    """An escrow, with the way to its page."""
    if escrow_id is None:
        return format_html("{}", "–")
    return format_html('<a href="{}">{}</a>', addresses.escrow(escrow_id), _("Escrow %(id)s") % {"id": escrow_id})


class MoneyList(ReadOnly):
    """Rows with an amount, a state and a beginning."""

    @admin.display(description=_("No."))
    def number(self, row: Any) -> str:
        """The number that people write."""
        return str(row.pk)

    @admin.display(description=_("State"))
    def state_in_words(self, row: Any) -> SafeString:
        """The state in words."""
        return badge(str(self.opts.model_name), row.state)

    @admin.display(description=_("Amount"))
    def amount(self, row: Any) -> str:
        """What it is about."""
        return money(Money(row.amount_minor, row.currency))

    @admin.display(description=_("Begun"))
    def begun(self, row: Any) -> str:
        """When it began."""
        return moment(row.created_at)

    @admin.display(description=_("Escrow"))
    def of_escrow(self, row: Any) -> SafeString:
        """The escrow that it belongs to."""
        return escrow_link(row.escrow_id)
