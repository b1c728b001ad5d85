"""The lists of comparisons and of statement lines. Read-only."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.payments.models import ProviderAccount, Reconciliation, StatementLine
from multitask.payments.states import LineState
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.columns import badge, mono
from multitask.web.backoffice.base.filters import OptionFilter, column, needs_attention
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.reconciliation import accounts, line_page
from multitask.web.pages.templatetags.money import ago, moment, money


class AccountFilter(OptionFilter):
    """By one account at a provider, which the list of comparisons links to."""

    title = _("Account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the account that was chosen."""
        chosen = request.GET.get(str(self.parameter_name), "")
        if not chosen.isascii() or not chosen.isdecimal() or len(chosen) > 18:
            return []
        found = ProviderAccount.objects.select_related("account__user").filter(pk=int(chosen)).first()
        return [] if found is None else [(chosen, accounts.name(found))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list to the account."""
        return queryset.filter(account_id=self.value()) if self.lookup_choices else queryset


class ReconciliationList(ReadOnlyList):
    """What the books and the provider have, for each account and currency."""

    title = _("Reconciliation")
    list_display = ("owner", "ours", "in_flight", "theirs", "verdict", "open_items", "compared")
    list_select_related = ("account__account__user",)
    list_filter: ClassVar[Any] = (needs_attention(different=(_("Differs from the provider"), work_queue.differences)),)
    # The platform's account was added first.
    ordering: ClassVar[Any] = ("account_id", "currency")

    @property
    def explanation(self) -> str:
        """What the list shows, and which providers it cannot show."""
        sentence = gettext("What the books have and what is in flight should add up to what the provider has.")
        without = accounts.not_compared()
        if not without:
            return sentence
        other = gettext("Not compared, since they have no statement: %(names)s.") % {"names": ", ".join(without)}
        return f"{sentence} {other}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reconciliation]:
        """Count the open lines of each row, and read the age of the oldest."""
        lines = StatementLine.objects.filter(
            account=OuterRef("account"), currency=OuterRef("currency"), state=LineState.OPEN.value
        )
        grouped = lines.order_by().values("account")
        found: QuerySet[Reconciliation] = super().get_queryset(request)
        return found.annotate(
            open_lines=Subquery(grouped.annotate(number=Count("pk")).values("number")),
            oldest_at=Subquery(grouped.annotate(oldest=Min("opened_at")).values("oldest")),
        )

    @admin.display(description=_("Account"))
    def owner(self, row: Reconciliation) -> str:
        """Whose account it is."""
        return accounts.name(row.account)

    @admin.display(description=_("The books"))
    def ours(self, row: Reconciliation) -> str:
        """What the books have, suspense included."""
        return money(Money(row.ours_minor, row.currency))

    @admin.display(description=_("In flight"))
    def in_flight(self, row: Reconciliation) -> str:
        """What the provider has moved and the books have not yet."""
        return money(Money(row.in_flight_minor, row.currency))

    @admin.display(description=_("The provider"))
    def theirs(self, row: Reconciliation) -> str:
        """What the provider has."""
        return money(Money(row.theirs_minor, row.currency))

    @admin.display(description=_("Result"))
    def verdict(self, row: Reconciliation) -> SafeString | str:
        """Equal, or by how much it differs since when."""
        if row.compared_at is None:
            return badge("reconciliation", "not_compared")
        if row.account.account is not None and row.account.account.closed:
            return badge("reconciliation", "closed")
        if row.differs_since is None:
            return badge("reconciliation", "equal")
        values = {
            "amount": money(Money(row.difference_minor, row.currency)),
            "when": ago(row.differs_since),
        }
        return gettext("differs by %(amount)s, found %(when)s") % values

    @admin.display(description=_("Open lines"))
    def open_items(self, row: Any) -> str:
        """How many lines are open, with the sum in suspense and the age of the oldest."""
        if not row.open_lines:
            return "–"
        values = {
            "number": row.open_lines,
            "amount": money(Money(row.suspense_minor, row.currency)),
            "when": ago(row.oldest_at),
        }
        return gettext("%(number)s, in suspense %(amount)s, the oldest %(when)s") % values

    @admin.display(description=_("Compared"))
    def compared(self, row: Reconciliation) -> str:
        """When it was compared last."""
        return "–" if row.compared_at is None else moment(row.compared_at)

    def show(self, request: HttpRequest, row: Reconciliation) -> HttpResponse:
        """Go to the lines of the account."""
        return redirect(links.listing("payments.statementline", f"account={row.account_id}"))


class StatementLineList(ReadOnlyList):
    """Lines of the provider's statements."""

    title = _("Statement lines")
    explanation = _("Every movement that the provider reports, stored once and matched with the postings behind it.")
    list_display = ("line", "kind_label", "amount", "state_label", "suspense", "owner", "happened", "waits")
    list_select_related = ("account__account__user",)
    list_filter: ClassVar[Any] = (
        needs_attention(
            open=(_("Open"), work_queue.open_lines),
            unreadable=(_("In flight, of a closed payout account"), work_queue.unreadable_lines),
        ),
        AccountFilter,
        column("state", _("State"), labels.options("line")),
        column("kind", _("Kind"), labels.options("line_kind")),
    )

    @admin.display(description=_("Line"))
    def line(self, row: StatementLine) -> SafeString:
        """The provider's id."""
        return mono(row.provider_line_id)

    @admin.display(description=_("Kind"))
    def kind_label(self, row: StatementLine) -> str:
        """The kind's label."""
        return labels.of("line_kind", row.kind)

    @admin.display(description=_("Amount"))
    def amount(self, row: StatementLine) -> str:
        """By how much it moved the account."""
        return money(row.net)

    @admin.display(description=_("State"))
    def state_label(self, row: StatementLine) -> SafeString:
        """The state's label."""
        return badge("line", row.state)

    @admin.display(description=_("In suspense"))
    def suspense(self, row: StatementLine) -> str:
        """What nobody has explained of it."""
        return money(Money(row.suspense_minor, row.currency)) if row.suspense_minor else "–"

    @admin.display(description=_("Account"))
    def owner(self, row: StatementLine) -> str:
        """Whose account it is on."""
        return accounts.name(row.account)

    @admin.display(description=_("Moved"))
    def happened(self, row: StatementLine) -> str:
        """When the provider moved the money."""
        return moment(row.happened_at)

    @admin.display(description=_("Open since"))
    def waits(self, row: StatementLine) -> str:
        """How long it has been open."""
        is_open = row.state == LineState.OPEN.value and row.opened_at is not None
        return ago(row.opened_at) if is_open else "–"

    def show(self, request: HttpRequest, row: StatementLine) -> HttpResponse:
        """The line's page."""
        return line_page.show(request, row)
