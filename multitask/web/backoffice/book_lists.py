"""The lists of the books and of the audit trail, which nobody can change, not even here."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.ledger.models import Account, Transaction
from multitask.payments.models import AuditEvent
from multitask.web.backoffice import audit, books, words
from multitask.web.backoffice.columns import mono
from multitask.web.backoffice.listing import Chips, ReadOnly
from multitask.web.backoffice.site import site
from multitask.web.pages.templatetags.money import moment


class AccountFamily(Chips):
    """By the first word of the code."""

    title = _("Accounts")
    parameter_name = "family"
    choices_in_words: ClassVar[dict[str, Any]] = {
        "platform": _("Platform"),
        "provider": _("Provider"),
        "escrow": _("Escrows"),
        "user": _("Wallets"),
        "refund": _("Refunds"),
        "unapplied": _("Fits no escrow"),
    }

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those whose code begins with the word."""
        return queryset.filter(code__startswith=f"{chosen}:")


@admin.register(Account, site=site)
class LedgerAccounts(ReadOnly):
    """The accounts of the books."""

    title = _("Accounts")
    explanation = _("Read-only: only postings move money here, and each moves it from one account to another.")
    list_display = ("code_in_books", "held_in", "held", "opened")
    list_filter: ClassVar[Any] = (AccountFamily,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """With what each holds."""
        return books.with_balances(super().get_queryset(request))

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
        return books.amount(row.held_minor, row.currency)

    @admin.display(description=_("Opened"))
    def opened(self, row: Account) -> str:
        """When it was first posted to."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Account) -> HttpResponse:
        """The account's page."""
        return books.show_account(request, row)


@admin.register(Transaction, site=site)
class LedgerTransactions(ReadOnly):
    """The transactions of the books."""

    title = _("Transactions")
    explanation = _("Read-only: what was posted is never changed; a mistake is mended by posting its reverse.")
    list_display = ("what", "key_in_books", "posted")

    @admin.display(description=_("What happened"))
    def what(self, row: Transaction) -> str:
        """The kind in words."""
        return words.of("posting", row.kind)

    @admin.display(description=_("Key"))
    def key_in_books(self, row: Transaction) -> SafeString:
        """What makes it once only."""
        return mono(row.key)

    @admin.display(description=_("Recorded"))
    def posted(self, row: Transaction) -> str:
        """When."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Transaction) -> HttpResponse:
        """The transaction's page."""
        return books.show_transaction(request, row)


@admin.register(AuditEvent, site=site)
class AuditTrail(ReadOnly):
    """Who did what, when, from where."""

    title = _("Audit trail")
    explanation = _("Never changed, never deleted: the database refuses it.")
    list_display = ("what", "who", "about", "reason", "at_moment")
    list_select_related = ("actor",)

    @admin.display(description=_("What happened"))
    def what(self, row: AuditEvent) -> str:
        """The event in words."""
        return audit.what(row)

    @admin.display(description=_("Who"))
    def who(self, row: AuditEvent) -> SafeString:
        """The actor and the capacity."""
        return format_html(
            "{} <span class='o-muted'>{}</span>", audit.actor(row), words.of("actor_role", row.actor_role)
        )

    @admin.display(description=_("About"))
    def about(self, row: AuditEvent) -> SafeString | str:
        """The escrow, withdrawal or person."""
        return audit.about(row)

    @admin.display(description=_("Reason"))
    def reason(self, row: AuditEvent) -> str:
        """What was given as a reason."""
        return row.note[:80] or "–"

    @admin.display(description=_("When"))
    def at_moment(self, row: AuditEvent) -> str:
        """The moment."""
        return moment(row.at)

    def show(self, request: HttpRequest, row: AuditEvent) -> HttpResponse:
        """Everything that is known about it."""
        return audit.show(request, row)
