"""The list of receivables: what people owe the platform, by age."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.payments.books import receivables
from multitask.payments.losses import write_offs
from multitask.payments.models import Receivable
from multitask.users.models import User
from multitask.web.backoffice.base import links
from multitask.web.backoffice.base.columns import escrow_link, person
from multitask.web.backoffice.base.filters import OptionFilter
from multitask.web.backoffice.base.lists import MoneyList
from multitask.web.pages.templatetags.money import money


class OpenFilter(OptionFilter):
    """By whether something is still owed."""

    title = _("State")
    parameter_name = "open"
    options: ClassVar[dict[str, Any]] = {"yes": _("Still owed"), "no": _("Settled")}

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the rows of which something, or nothing, is owed."""
        if chosen == "yes":
            return queryset.filter(amount_minor__gt=receivables.SETTLED)
        return queryset.filter(amount_minor=receivables.SETTLED)


class AgeFilter(OptionFilter):
    """By the age in days, in the steps of the ageing list."""

    title = _("Age in days")
    parameter_name = "age"
    options: ClassVar[dict[str, Any]] = {
        str(days): f"{days}–{upper}" if upper else f"{days}+"
        for days, upper in zip(write_offs.AGES, [*write_offs.AGES[1:], None], strict=True)
    }

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the rows of that age."""
        now, days = timezone.now(), int(chosen)
        later = [each for each in write_offs.AGES if each > days]
        found = queryset.filter(created_at__lte=now - timedelta(days=days))
        return found.filter(created_at__gt=now - timedelta(days=later[0])) if later else found


class ReceivableList(MoneyList):
    """What people owe the platform, the oldest first."""

    title = _("Receivables")
    explanation = _("What freelancers owe after losses. Later releases pay it; uncollectible amounts are written off.")
    list_display = ("number", "debtor", "owed", "amount", "recovered", "written_off", "because", "age", "created")
    list_filter: ClassVar[Any] = (OpenFilter, AgeFilter)
    ordering: ClassVar[Any] = ("pk",)
    list_select_related = ("user", "loss")
    change_list_template = "backoffice/people/receivables.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list below the sums of those who owe most, by age."""
        rows = write_offs.ageing(now=timezone.now(), limit=write_offs.MOST_AGEING)
        people = User.objects.in_bulk([row.user_id for row in rows])
        ageing = [{"row": row, "user": people[row.user_id]} for row in rows]
        context = {"ageing": ageing, "ages": list(AgeFilter.options.values())}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @admin.display(description=_("Owed by"))
    def debtor(self, row: Receivable) -> SafeString:
        """The freelancer."""
        return person(row.user)

    @admin.display(description=_("Still owed"))
    def owed(self, row: Receivable) -> str:
        """What is still owed."""
        return money(row.owed)

    @admin.display(description=_("Recovered"))
    def recovered(self, row: Receivable) -> str:
        """What later releases paid."""
        return money(Money(row.recovered_minor, row.currency))

    @admin.display(description=_("Written off"))
    def written_off(self, row: Receivable) -> str:
        """What was given up."""
        return money(Money(row.written_off_minor, row.currency))

    @admin.display(description=_("Because of"))
    def because(self, row: Receivable) -> SafeString | str:
        """The escrow of the loss, or the adjustment."""
        return escrow_link(row.loss.escrow_id) if row.loss is not None else _now("Adjustment")

    @admin.display(description=_("Age in days"))
    def age(self, row: Receivable) -> str:
        """The age in days."""
        return str((timezone.now() - row.created_at).days)

    def show(self, request: HttpRequest, row: Receivable) -> HttpResponse:
        """Go to the debtor, at the receivable."""
        return redirect(f"{links.page('users.user', row.user_id)}#receivable-{row.pk}")
