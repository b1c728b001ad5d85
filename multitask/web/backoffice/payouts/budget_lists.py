"""The lists of payout budgets, of payouts from them, and of what finance recorded about them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.money import Money
from multitask.payments.models import BudgetRecord, Disbursement, PayoutBudget
from multitask.payments.payouts import budget
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.columns import badge, mono, person
from multitask.web.backoffice.base.filters import column, needs_attention
from multitask.web.backoffice.base.lists import MoneyList, ReadOnlyList
from multitask.web.backoffice.payouts import budget_page, disbursement_page
from multitask.web.backoffice.people import payout_details
from multitask.web.pages.templatetags.money import ago, day, moment, money


class BudgetList(ReadOnlyList):
    """What the books and the provider have of each payout budget."""

    title = _("Payout budgets")
    explanation = _("What withdrawals are paid from where the platform holds the money. Finance tops it up.")
    list_display = ("name", "ours", "theirs", "verdict", "short", "reported")
    list_filter: ClassVar[Any] = (
        needs_attention(
            short=(_("Payouts wait for it"), work_queue.short_budgets),
            different=(_("Differs from the provider"), work_queue.differing_budgets),
        ),
    )
    ordering: ClassVar[Any] = ("provider", "currency")

    @admin.display(description=_("Budget"))
    def name(self, row: PayoutBudget) -> str:
        """The provider and the currency."""
        return f"{row.provider} · {row.currency}"

    @admin.display(description=_("The books"))
    def ours(self, row: PayoutBudget) -> str:
        """What the books hold."""
        return money(budget.held(row.provider, row.currency))

    @admin.display(description=_("The provider"))
    def theirs(self, row: PayoutBudget) -> str:
        """What the provider reported last."""
        return "–" if row.reported_minor is None else money(Money(row.reported_minor, row.currency))

    @admin.display(description=_("Result"))
    def verdict(self, row: PayoutBudget) -> SafeString:
        """Whether both agree."""
        if row.reported_at is None:
            return badge("reconciliation", "not_compared")
        return badge("reconciliation", "equal" if row.differs_since is None else "different")

    @admin.display(description=_("Short since"))
    def short(self, row: PayoutBudget) -> str:
        """Since when payouts have waited for it."""
        return "–" if row.short_since is None else ago(row.short_since)

    @admin.display(description=_("Compared"))
    def reported(self, row: PayoutBudget) -> str:
        """When the provider was asked last."""
        return "–" if row.reported_at is None else moment(row.reported_at)

    def show(self, request: HttpRequest, row: PayoutBudget) -> HttpResponse:
        """The budget's page."""
        return budget_page.show(request, row)


class DisbursementList(MoneyList):
    """All payouts from the budget."""

    title = _("Payouts from the budget")
    explanation = _(
        "Withdrawals and refunds that are paid out of the budget, in the order in which they were asked for."
    )
    list_display = ("number", "owner", "amount", "goes_to", "state_label", "provider_id", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(
            undecided=(_("Outcome unknown"), work_queue.undecided_payouts),
            waiting=(_("Waits for the budget"), work_queue.waiting_payouts),
            paid_after_failure=(_("A refund that was paid after it had failed"), work_queue.refunds_paid_after_failure),
            withheld=(_("Must not be paid"), work_queue.withheld_payouts),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Disbursement]:
        """Read the owner and the destination with each row."""
        found: QuerySet[Disbursement] = super().get_queryset(request)
        return found.select_related("withdrawal", "refund", "destination__user")

    @admin.display(description=_("Owner"))
    def owner(self, row: Disbursement) -> SafeString:
        """Who is paid."""
        return person(row.destination.user)

    @admin.display(description=_("To"))
    def goes_to(self, row: Disbursement) -> SafeString:
        """Where it goes."""
        return format_html("{} {}", payout_details.name_of(row.destination), mono(row.destination.masked))

    @admin.display(description=_("State"))
    def state_label(self, row: Disbursement) -> SafeString:
        """Whether it waits, is under way or has ended."""
        return badge("disbursement", disbursement_page.state(row))

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Disbursement) -> SafeString:
        """The payout at the provider."""
        return mono(row.provider_payout_id)

    def show(self, request: HttpRequest, row: Disbursement) -> HttpResponse:
        """The payout's page."""
        return disbursement_page.show(request, row)


class BudgetRecordList(MoneyList):
    """What finance recorded: settlements to the bank, top-ups of the budget and costs of payouts."""

    title = _("Settlements, top-ups and costs")
    explanation = _("What moved between the provider, the bank and the budget, as finance recorded it.")
    list_display = ("kind_label", "amount", "fee", "happened", "number", "corrected", "document", "by", "created")
    list_select_related = ("recorded_by", "corrected_by", "corrects")
    list_filter: ClassVar[Any] = (column("kind", _("Kind"), labels.options("budget_record")),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetRecord]:
        """Leave the contents of files out."""
        found: QuerySet[BudgetRecord] = super().get_queryset(request)
        return found.defer("file_content")

    @admin.display(description=_("Kind"))
    def kind_label(self, row: BudgetRecord) -> str:
        """What was recorded."""
        return labels.of("budget_record", row.kind)

    @admin.display(description=_("Fee"))
    def fee(self, row: BudgetRecord) -> str:
        """What the provider kept, or took for payouts."""
        return money(row.fee) if row.fee_minor else "–"

    @admin.display(description=_("Day"))
    def happened(self, row: BudgetRecord) -> str:
        """When it happened."""
        return day(row.happened_on)

    @admin.display(description=_("Reference"))
    def number(self, row: BudgetRecord) -> str:
        """The reference of the bank or the provider."""
        return row.reference

    @admin.display(description=_("Correction"))
    def corrected(self, row: BudgetRecord) -> SafeString | str:
        """Whether it was taken back, or takes another one back."""
        return badge("budget_record_state", budget_page.record_state(row))

    @admin.display(description=_("Document"))
    def document(self, row: BudgetRecord) -> SafeString | str:
        """The document, to download."""
        if not row.file_name:
            return "–"
        return format_html('<a href="{}">{}</a>', links.budget_file(row.pk), row.file_name)

    @admin.display(description=_("Recorded by"))
    def by(self, row: BudgetRecord) -> SafeString:
        """Who recorded it."""
        return person(row.recorded_by)

    def show(self, request: HttpRequest, row: BudgetRecord) -> HttpResponse:
        """The record's page."""
        return budget_page.show_record(request, row)
