"""The lists of escrows, payments, refunds, disputes and chargebacks."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.losses.chargebacks import HARMLESS
from multitask.payments.models import (
    Chargeback,
    Dispute,
    Escrow,
    Payment,
    Refund,
)
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import badge, mono, person
from multitask.web.backoffice.base.filters import OptionFilter, column, needs_attention
from multitask.web.backoffice.base.lists import EscrowPartList, MoneyList
from multitask.web.backoffice.escrow import page
from multitask.web.pages.templatetags.money import moment, money


class EscrowList(MoneyList):
    """All escrows."""

    title = _("Escrows")
    explanation = _("The money of one task, from the payment request to release or refund.")
    list_display = ("number", "task_title", "total", "state_label", "from_client", "to_freelancer", "created")
    list_filter: ClassVar[Any] = (
        column(
            "state",
            _("State"),
            labels.options("escrow", "pending_payment", "funded", "disputed", "released", "refunded", "cancelled"),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Escrow]:
        """Read the agreement and both people with each row."""
        found: QuerySet[Escrow] = super().get_queryset(request)
        return found.select_related("agreement", "client", "freelancer")

    @admin.display(description=_("Task"))
    def task_title(self, row: Escrow) -> str:
        """The agreement's title."""
        return row.agreement.title

    @admin.display(description=_("Amount"))
    def total(self, row: Escrow) -> str:
        """The whole amount."""
        return money(row.total)

    @admin.display(description=_("Client"))
    def from_client(self, row: Escrow) -> SafeString:
        """The client."""
        return person(row.client)

    @admin.display(description=_("Freelancer"))
    def to_freelancer(self, row: Escrow) -> SafeString:
        """The freelancer."""
        return person(row.freelancer)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the escrow's page, which reads the row itself, at the same moment as the rest."""
        return page.show(request, lambda: self.get_object(request, object_id))


class PaymentList(EscrowPartList):
    """Payments of clients."""

    title = _("Payments")
    explanation = _("Payments of clients. A payment under review matches no escrow and is sent back.")
    list_display = ("number", "provider_id", "amount", "state_label", "of_escrow", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(review=(_("Payments under review"), work_queue.under_review)),
        column("state", _("State"), labels.options("payment", "pending", "succeeded", "cancelled", "returned")),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Payment) -> SafeString:
        """The payment intent."""
        return mono(row.provider_payment_id)


class RefundList(EscrowPartList):
    """Refunds, and requests for them."""

    title = _("Refunds")
    explanation = _("Refunds to clients, and requests for them.")
    list_display = ("number", "provider_id", "amount", "state_label", "why", "of_escrow", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(failed=(_("Failed, not tried again"), work_queue.failed_refunds)),
        column(
            "state",
            _("State"),
            labels.options("refund", "requested", "pending", "succeeded", "failed", "refused", "withdrawn"),
        ),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Refund) -> SafeString:
        """The refund at the provider."""
        return mono(row.provider_refund_id)

    @admin.display(description=_("Why it failed"))
    def why(self, row: Refund) -> str:
        """The reason as people read it."""
        return row.failure_reason or "–"


class DisputeList(EscrowPartList):
    """Disputes."""

    title = _("Disputes")
    explanation = _(
        "Disputes between client and freelancer. Finance staff settles them by splitting the money in escrow."
    )
    list_display = ("number", "reason_given", "state_label", "held", "of_escrow", "created")
    list_select_related = ("escrow",)
    list_filter: ClassVar[Any] = (column("state", _("State"), labels.options("dispute")),)

    @admin.display(description=_("Reason"))
    def reason_given(self, row: Dispute) -> str:
        """The reason."""
        return row.reason[:80]

    @admin.display(description=_("In escrow"))
    def held(self, row: Dispute) -> str:
        """The disputed amount."""
        return money(row.escrow.remaining)

    @admin.display(description=_("Created"))
    def created(self, row: Dispute) -> str:
        """When it was opened."""
        return moment(row.opened_at)


class ChargebackFilter(OptionFilter):
    """By whether they hold money."""

    title = _("State")
    parameter_name = "open"
    options: ClassVar[dict[str, Any]] = {"yes": _("Holds money"), "no": _("Ended")}

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """By the status that the bank reports."""
        over = {"status__in": sorted(HARMLESS)}
        return queryset.exclude(**over) if chosen == "yes" else queryset.filter(**over)


class ChargebackList(EscrowPartList):
    """Chargebacks."""

    title = _("Chargebacks")
    explanation = _("A cardholder's bank contests a payment; the escrow is held as it is until the bank has decided.")
    list_display = ("number", "provider_id", "amount", "state_label", "of_escrow", "created")
    list_filter: ClassVar[Any] = (ChargebackFilter,)

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Chargeback) -> SafeString:
        """The dispute at the provider."""
        return mono(row.provider_dispute_id)

    @admin.display(description=_("State"))
    def state_label(self, row: Chargeback) -> SafeString:
        """The provider's status."""
        return badge("chargeback", row.status)

    @admin.display(description=_("Created"))
    def created(self, row: Chargeback) -> str:
        """When it was opened."""
        return moment(row.opened_at)
