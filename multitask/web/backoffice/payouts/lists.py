"""The lists of withdrawals and of payout accounts."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import (
    ConnectedAccount,
    Withdrawal,
)
from multitask.payments.payouts import account_moves
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import mono, outside_label, person, why
from multitask.web.backoffice.base.filters import column, needs_attention
from multitask.web.backoffice.base.lists import MoneyList, ReadOnlyList
from multitask.web.backoffice.payouts import account_page, withdrawal_page
from multitask.web.pages.templatetags.money import moment


class WithdrawalList(MoneyList):
    """All withdrawals."""

    title = _("Withdrawals")
    explanation = _("Payouts from wallets to banks. The amount of a failed or cancelled one is in the wallet again.")
    list_display = ("number", "provider_id", "owner", "amount", "state_label", "made_by", "why", "created")
    list_filter: ClassVar[Any] = (
        column(
            "state",
            _("State"),
            labels.options("withdrawal", "pending", "processing", "completed", "failed", "cancelled"),
        ),
        needs_attention(
            unreadable=(_("Under way from a closed payout account"), work_queue.unreadable_payouts),
            paid_after_return=(_("Paid after the money was given back"), work_queue.paid_after_return),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        """Read the owner and the payout account with each row."""
        found: QuerySet[Withdrawal] = super().get_queryset(request)
        return found.select_related("user", "account")

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Withdrawal) -> SafeString:
        """The payout at the provider."""
        return mono(row.provider_payout_id)

    @admin.display(description=_("Owner"))
    def owner(self, row: Withdrawal) -> SafeString:
        """The owner."""
        return person(row.user)

    @admin.display(description=_("Made by"))
    def made_by(self, row: Withdrawal) -> str:
        """Whether a command of ours made it."""
        return outside_label(row.is_outside)

    @admin.display(description=_("Why it failed"))
    def why(self, row: Withdrawal) -> str:
        """The reason as people read it."""
        return why(row.failure_reason)

    def show(self, request: HttpRequest, row: Withdrawal) -> HttpResponse:
        """The withdrawal's page."""
        return withdrawal_page.show(request, row)


class PayoutAccountList(ReadOnlyList):
    """Freelancers' accounts at the provider."""

    title = _("Payout accounts")
    explanation = _("Freelancers' accounts at the provider, where their share goes before the bank.")
    list_display = ("provider_id", "owner", "country_code", "receives", "pays_out", "ended", "created")
    list_select_related = ("user",)
    list_filter: ClassVar[Any] = (
        needs_attention(
            closed=(_("Closed, with money in it"), work_queue.closed_accounts),
            left_behind=(_("Money in payout accounts that were replaced"), account_moves.left_behind),
        ),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: ConnectedAccount) -> SafeString:
        """The account at the provider."""
        return mono(row.provider_account_id)

    @admin.display(description=_("Owner"))
    def owner(self, row: ConnectedAccount) -> SafeString:
        """The freelancer."""
        return person(row.user)

    @admin.display(description=_("Country"))
    def country_code(self, row: ConnectedAccount) -> str:
        """The country's code."""
        return row.country

    @admin.display(description=_("Receives"), boolean=True)
    def receives(self, row: ConnectedAccount) -> bool:
        """Whether it can receive transfers."""
        return row.can_receive

    @admin.display(description=_("Pays out"), boolean=True)
    def pays_out(self, row: ConnectedAccount) -> bool:
        """Whether it can pay out to the bank."""
        return row.onboarding_completed

    @admin.display(description=_("Ended"))
    def ended(self, row: ConnectedAccount) -> str:
        """Whether and how it has ended."""
        if row.retired_at is not None:
            return str(_("Replaced"))
        if row.closed:
            return str(_("Closed"))
        return str(_("Rejected")) if row.rejection else "–"

    @admin.display(description=_("Created"))
    def created(self, row: ConnectedAccount) -> str:
        """When it was created."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: ConnectedAccount) -> HttpResponse:
        """The account's page."""
        return account_page.show(request, row)
