"""The lists of escrows, payments, refunds and disputes."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.escrow import hold_limits, stranded
from multitask.payments.models import (
    Dispute,
    Escrow,
    Payment,
    Refund,
    Reversal,
)
from multitask.payments.states import HOLDING_ESCROWS
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import mono, outside_label, person, why
from multitask.web.backoffice.base.filters import column, needs_attention
from multitask.web.backoffice.base.lists import EscrowPartList, MoneyList
from multitask.web.backoffice.escrow import page
from multitask.web.pages.templatetags.money import ago, day, moment, money


class EscrowList(MoneyList):
    """All escrows."""

    title = _("Escrows")
    explanation = _("The money of one task, from the payment request to release or refund.")
    list_display = (
        "number", "task_title", "total", "state_label", "from_client", "to_freelancer", "created", "hold_until",
        "stranded_for",
    )  # fmt: skip
    list_filter: ClassVar[Any] = (
        needs_attention(
            hold=(_("May not be held much longer"), hold_limits.nearing),
            stranded=(_("Called off, money still here"), work_queue.stranded_money),
        ),
        column(
            "state",
            _("State"),
            labels.options(
                "escrow", "pending_payment", "funded", "disputed", "released", "refunded", "charged_back", "cancelled"
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Escrow]:
        """Read the agreement, both people and since when its money is stranded with each row."""
        found: QuerySet[Escrow] = super().get_queryset(request)
        since = stranded.found().filter(pk=OuterRef("pk")).values("stranded_at")[:1]
        return found.select_related("agreement", "client", "freelancer").annotate(stranded_at=Subquery(since))

    @admin.display(description=_("May be held until"))
    def hold_until(self, row: Escrow) -> str:
        """The end of the time for which the provider may hold its money."""
        if row.escrow_state not in HOLDING_ESCROWS or row.hold_until_at is None:
            return "–"
        return day(row.hold_until_at)

    @admin.display(description=_("Called off, money still here"))
    def stranded_for(self, row: Escrow) -> str:
        """How long its money has been stranded."""
        since = getattr(row, "stranded_at", None)
        return ago(since) if since is not None else "–"

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
        needs_attention(
            review=(_("Payments under review"), work_queue.under_review),
            unnamed=(_("Paid orders whose transaction is unknown"), work_queue.unnamed_tries),
        ),
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
    list_display = ("number", "provider_id", "amount", "state_label", "made_by", "why", "of_escrow", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(
            failed=(_("Failed, not tried again"), work_queue.failed_refunds),
            undecided=(_("Outcome unknown"), work_queue.undecided_refunds),
            destination=(_("Waits for payout details"), work_queue.refunds_without_destination),
        ),
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

    @admin.display(description=_("Made by"))
    def made_by(self, row: Refund) -> str:
        """Whether a command of ours made it."""
        return outside_label(row.is_outside)

    @admin.display(description=_("Why it failed"))
    def why(self, row: Refund) -> str:
        """The reason as people read it."""
        return why(row.failure_reason)


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


class ReversalList(EscrowPartList):
    """Transfers that were reversed."""

    title = _("Reversals")
    explanation = _("Money of a transfer that went back to the platform. Staff decides about those made elsewhere.")
    list_display = ("number", "provider_id", "amount", "state_label", "made_by", "decision", "of_escrow", "created")
    list_filter: ClassVar[Any] = (
        needs_attention(undecided=(_("Reversals to decide about"), work_queue.undecided_reversals)),
        column("state", _("State"), labels.options("reversal", "pending", "succeeded", "failed")),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Reversal) -> SafeString:
        """The reversal at the provider."""
        return mono(row.provider_reversal_id)

    @admin.display(description=_("Made by"))
    def made_by(self, row: Reversal) -> str:
        """Whether a command of ours made it."""
        return outside_label(row.is_outside)

    @admin.display(description=_("Decided"), boolean=True)
    def decision(self, row: Reversal) -> bool:
        """Whether staff has decided where the money goes."""
        return row.is_decided
