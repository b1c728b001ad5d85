"""The lists of chargebacks and of early fraud warnings."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import Chargeback, FraudWarning
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.columns import badge, mono
from multitask.web.backoffice.base.filters import column, needs_attention
from multitask.web.backoffice.base.lists import MoneyList
from multitask.web.backoffice.chargebacks import page
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import moment


class ChargebackList(MoneyList):
    """Chargebacks and inquiries."""

    title = _("Chargebacks")
    explanation = _("A cardholder's bank contests a payment; the escrow is held as it is until the bank has decided.")
    list_display = ("number", "provider_id", "amount", "state_label", "why", "due", "of_escrow", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(
            due=(_("To be answered within three days"), work_queue.evidence_due),
            unbooked=(_("Lost and not booked"), work_queue.unbooked_losses),
            unexplained=(_("Over, with unreconciled money"), work_queue.unexplained_chargebacks),
            inquiries=(_("Inquiries to answer"), work_queue.inquiries),
            open=(_("Holds money"), work_queue.contested),
        ),
        column(
            "status",
            _("State"),
            labels.options(
                "chargeback",
                "needs_response",
                "under_review",
                "won",
                "lost",
                "prevented",
                "warning_needs_response",
                "warning_under_review",
                "warning_closed",
            ),
        ),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Chargeback) -> SafeString:
        """The dispute at the provider."""
        return mono(row.provider_dispute_id)

    @admin.display(description=_("State"))
    def state_label(self, row: Chargeback) -> SafeString:
        """The provider's status."""
        return badge("chargeback", row.status)

    @admin.display(description=_("Reason"))
    def why(self, row: Chargeback) -> str:
        """The bank's reason."""
        return status_labels.bank_reason(row.reason)

    @admin.display(description=_("To be answered by"))
    def due(self, row: Chargeback) -> str:
        """Until when the evidence has to be submitted; nothing once that is over."""
        is_due = row.evidence_due_at is not None and row.evidence_submitted_at is None and row.closed_at is None
        return moment(row.evidence_due_at) if is_due else "–"

    @admin.display(description=_("Created"))
    def created(self, row: Chargeback) -> str:
        """When it was opened."""
        return moment(row.opened_at)

    def show(self, request: HttpRequest, row: Chargeback) -> HttpResponse:
        """Show the chargeback's page."""
        return page.show(request, row)


class FraudWarningList(MoneyList):
    """Early fraud warnings."""

    title = _("Fraud warnings")
    explanation = _("A card's bank suspects fraud. A refund in time prevents a chargeback and its fee.")
    list_display = ("number", "provider_id", "state_label", "why", "of_escrow", "created")
    list_filter: ClassVar[Any] = (needs_attention(open=(_("To be decided"), work_queue.fraud_warnings)),)

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: FraudWarning) -> SafeString:
        """The warning at the provider."""
        return mono(row.provider_warning_id)

    @admin.display(description=_("State"))
    def state_label(self, row: FraudWarning) -> SafeString:
        """Whether it is open."""
        return badge("fraud_warning", "open" if row.closed_at is None else "closed")

    @admin.display(description=_("Reason"))
    def why(self, row: FraudWarning) -> str:
        """The bank's reason."""
        return status_labels.bank_reason(row.reason)

    @admin.display(description=_("Created"))
    def created(self, row: FraudWarning) -> str:
        """When it came."""
        return moment(row.opened_at)

    def show(self, request: HttpRequest, row: FraudWarning) -> HttpResponse:
        """Go to the escrow, at the warning."""
        return redirect(links.escrow(row.escrow_id, f"warning-{row.pk}"))
