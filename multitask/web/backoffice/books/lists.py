"""The lists of the ledger and of the audit trail. Read-only."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.ledger.models import Account, Transaction
from multitask.payments.models import (
    AuditEvent,
)
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import mono
from multitask.web.backoffice.base.filters import OptionFilter
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.books import audit_trail, ledger_pages
from multitask.web.pages.templatetags.money import moment


class AccountFilter(OptionFilter):
    """By the first part of the code."""

    title = _("Accounts")
    parameter_name = "family"
    options: ClassVar[dict[str, Any]] = {
        "platform": _("Platform"),
        "provider": _("Provider"),
        "escrow": _("Escrows"),
        "user": _("Wallets"),
        "refund": _("Refunds"),
        "unapplied": _("Matches no escrow"),
        "suspense": _("Suspense"),
    }

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the accounts whose code begins with it."""
        return queryset.filter(code__startswith=f"{chosen}:")


class AccountList(ReadOnlyList):
    """The ledger's accounts."""

    title = _("Accounts")
    explanation = _("Read-only: only postings move money here, and each moves it from one account to another.")
    list_display = ("code_in_books", "held_in", "held", "opened")
    list_filter: ClassVar[Any] = (AccountFilter,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """Read the balance with each row."""
        return ledger_pages.with_balances(super().get_queryset(request))

    @admin.display(description=_("Account"))
    def code_in_books(self, row: Account) -> SafeString:
        """The code."""
        return mono(row.code)

    @admin.display(description=_("Currency"))
    def held_in(self, row: Account) -> str:
        """The currency's code."""
        return row.currency

    @admin.display(description=_("Balance"))
    def held(self, row: Any) -> str:
        """Credits less debits."""
        return ledger_pages.amount(row.held_minor, row.currency)

    @admin.display(description=_("Opened"))
    def opened(self, row: Account) -> str:
        """When it was first posted to."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Account) -> HttpResponse:
        """The account's page."""
        return ledger_pages.show_account(request, row)


class TransactionList(ReadOnlyList):
    """The ledger's transactions."""

    title = _("Transactions")
    explanation = _("Read-only: postings are never changed; a mistake is corrected by posting its reversal.")
    list_display = ("what", "key_in_books", "posted")

    @admin.display(description=_("What happened"))
    def what(self, row: Transaction) -> str:
        """The kind's label."""
        return labels.of("posting", row.kind)

    @admin.display(description=_("Key"))
    def key_in_books(self, row: Transaction) -> SafeString:
        """The key that makes it happen once."""
        return mono(row.key)

    @admin.display(description=_("Recorded"))
    def posted(self, row: Transaction) -> str:
        """When it was recorded."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Transaction) -> HttpResponse:
        """The transaction's page."""
        return ledger_pages.show_transaction(request, row)


class AuditTrailList(ReadOnlyList):
    """The audit trail."""

    title = _("Audit trail")
    explanation = _("Events are never changed or deleted; the database rejects it.")
    list_display = ("what", "who", "about", "reason", "at_moment")
    list_select_related = ("actor",)

    @admin.display(description=_("What happened"))
    def what(self, row: AuditEvent) -> str:
        """The event's label."""
        return audit_trail.what(row)

    @admin.display(description=_("Who"))
    def who(self, row: AuditEvent) -> SafeString:
        """The actor and the capacity."""
        return format_html(
            "{} <span class='o-muted'>{}</span>", audit_trail.actor(row), labels.of("actor_role", row.actor_role)
        )

    @admin.display(description=_("About"))
    def about(self, row: AuditEvent) -> SafeString | str:
        """The escrow, withdrawal or person."""
        return audit_trail.about(row)

    @admin.display(description=_("Reason"))
    def reason(self, row: AuditEvent) -> str:
        """The reason that was given."""
        return row.note[:80] or "–"

    @admin.display(description=_("When"))
    def at_moment(self, row: AuditEvent) -> str:
        """The moment."""
        return moment(row.at)

    def show(self, request: HttpRequest, row: AuditEvent) -> HttpResponse:
        """The event's page."""
        return audit_trail.show(request, row)
