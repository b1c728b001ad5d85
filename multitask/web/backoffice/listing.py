"""Lists of things that nobody edits here: bounded counts, chips for filters, one page a row."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from multitask.web.backoffice import roles

MOST_COUNTED: Final = 5_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody turns pages; what lies beyond is found by a filter or an id."""

    template_name = "backoffice/parts/pages.html"

    @cached_property
    def count(self) -> int:
        """How many rows the pages show."""
        found: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return found.order_by()[:MOST_COUNTED].count()


class CountedOnce(ChangeList):  # type: ignore[misc]
    """Knows one count, the bounded one, so that no heading promises another."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page and its count."""
        super().get_results(request)
        self.full_result_count = self.result_count


class ReadOnly(ModelAdmin):  # type: ignore[misc]
    """A list and a page for each row. Whatever changes a row is a deed of its own, never a form of all fields."""

    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    paginator = BoundedPaginator
    ordering: ClassVar[Any] = ("-pk",)
    sortable_by = ()
    change_list_template = "backoffice/list.html"
    title: Any = ""
    explanation: Any = ""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """All staff reads everything."""
        return roles.is_staff(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """All staff reads everything."""
        return roles.is_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is made by filling in a form."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is changed by filling in a form."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CountedOnce]:
        """Count once."""
        return CountedOnce

    def get_urls(self) -> list[URLPattern]:
        """The list and the page; none of Django's addresses that write."""
        seen: Callable[..., Any] = self.admin_site.admin_view
        base = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", seen(require_safe(self.changelist_view)), name=f"{base}_changelist"),
            path("<str:object_id>/change/", seen(require_safe(self.change_view)), name=f"{base}_change"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under a title in words."""
        told = {"title": self.title, "explanation": self.explanation, **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, told)
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the row's page."""
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        return self.show(request, found)

    def show(self, request: HttpRequest, row: Any) -> HttpResponse:
        """Answer the page of one row."""
        raise Http404


class Chips(admin.SimpleListFilter):
    """A filter of a few known choices, shown as a row of links."""

    template = "backoffice/parts/chips.html"
    choices_in_words: ClassVar[dict[str, Any]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices, in words."""
        return list(self.choices_in_words.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list, by the parameter's own column unless told otherwise."""
        chosen = self.value()
        return self.narrowed(queryset, chosen) if chosen in self.choices_in_words else queryset

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The rows of one choice."""
        return queryset.filter(**{str(self.parameter_name): chosen})


def states(name: str, label: Any, choices: dict[str, Any]) -> type[Chips]:
    """A filter by a column of few values."""
    members = {"title": label, "parameter_name": name, "choices_in_words": choices}
    return type(f"By{name.title()}", (Chips,), members)
