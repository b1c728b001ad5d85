"""Filters of the lists: a few known options, shown as a row of links."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

Rows = Callable[[datetime], QuerySet[Any]]


class OptionFilter(admin.SimpleListFilter):
    """A filter of a few known options; `options` maps each value to its label."""

    template = "backoffice/parts/filter.html"
    options: ClassVar[dict[str, Any]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the options with their labels."""
        return list(self.options.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list; an unknown value is ignored."""
        chosen = self.value()
        return self.narrowed(queryset, chosen) if chosen in self.options else queryset

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the rows of one option, by the parameter's own column unless overridden."""
        return queryset.filter(**{str(self.parameter_name): chosen})


class AttentionFilter(OptionFilter):
    """The rows of a list that are in the staff's work queue; `rows` maps each option to its query."""

    title = _("Needs attention")
    parameter_name = "waits"
    rows: ClassVar[dict[str, Rows]] = {}

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the rows of the chosen part of the queue."""
        return queryset.filter(pk__in=self.rows[chosen](timezone.now()).values("pk"))


def column(name: str, title: Any, options: dict[str, Any]) -> type[OptionFilter]:
    """Return a filter by a column of few values."""
    members = {"title": title, "parameter_name": name, "options": options}
    return type(f"By{name.title()}", (OptionFilter,), members)


def needs_attention(**options: tuple[Any, Rows]) -> type[AttentionFilter]:
    """Return a filter by queries of the work queue: a label and a query for each value."""
    members = {
        "options": {value: label for value, (label, _rows) in options.items()},
        "rows": {value: rows for value, (_label, rows) in options.items()},
    }
    return type("NeedsAttention", (AttentionFilter,), members)
