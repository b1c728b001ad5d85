"""Read-only lists: bounded counts, filters as links, one page per row."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from multitask.money import Money
from multitask.web.backoffice.base import links, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.base.columns import badge, escrow_link
from multitask.web.pages.templatetags.money import moment, money

COUNT_LIMIT: Final = 5_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to `COUNT_LIMIT` rows; rows beyond that are found by a filter or an id."""

    template_name = "backoffice/parts/pages.html"

    @cached_property
    def count(self) -> int:
        """Return how many rows the pages show."""
        found: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return found.order_by()[:COUNT_LIMIT].count()


class CountedOnce(ChangeList):  # type: ignore[misc]
    """Uses the bounded count everywhere, so that headings and pages agree."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page and its count."""
        super().get_results(request)
        self.full_result_count = self.result_count


class ReadOnlyList(ModelAdmin):  # type: ignore[misc]
    """A list, and a page for each row. Rows are changed by actions only, never by a form of all fields."""

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
        """Nothing is created by a form."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is changed by a form."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CountedOnce]:
        """Count once."""
        return CountedOnce

    def get_urls(self) -> list[URLPattern]:
        """Return the list and the page; none of Django's addresses that write."""
        staff: Callable[..., Any] = self.admin_site.admin_view
        base = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", staff(require_safe(self.changelist_view)), name=f"{base}_changelist"),
            path("<str:object_id>/change/", staff(require_safe(self.change_view)), name=f"{base}_change"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under its title, with its buttons below."""
        context = {"title": self.title, "explanation": self.explanation, "buttons": self.buttons(request)}
        response: HttpResponse = super().changelist_view(request, {**context, **(extra_context or {})})
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
        """Return the page of one row."""
        raise Http404

    def buttons(self, request: HttpRequest) -> list[Button]:
        """Return the actions that are offered below the list."""
        return []


class MoneyList(ReadOnlyList):
    """Rows with an amount, a state and a time of creation."""

    @admin.display(description=_("No."))
    def number(self, row: Any) -> str:
        """The row's number."""
        return str(row.pk)

    @admin.display(description=_("State"))
    def state_label(self, row: Any) -> SafeString:
        """The state's label."""
        return badge(str(self.opts.model_name), row.state)

    @admin.display(description=_("Amount"))
    def amount(self, row: Any) -> str:
        """The row's amount."""
        return money(Money(row.amount_minor, row.currency))

    @admin.display(description=_("Created"))
    def created(self, row: Any) -> str:
        """When it was created."""
        return moment(row.created_at)

    @admin.display(description=_("Escrow"))
    def of_escrow(self, row: Any) -> SafeString:
        """The escrow that it belongs to."""
        return escrow_link(row.escrow_id)


class EscrowPartList(MoneyList):
    """Rows that are shown on the page of their escrow."""

    def show(self, request: HttpRequest, row: Any) -> HttpResponse:
        """Go to the escrow, at the row."""
        return redirect(links.escrow(row.escrow_id, f"{self.opts.model_name}-{row.pk}"))
