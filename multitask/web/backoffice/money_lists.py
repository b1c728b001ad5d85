"""The lists of money and of decisions about it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.losses.chargebacks import HARMLESS
from multitask.payments.models import Approval, Chargeback, Dispute, Escrow, Payment, Refund, Withdrawal
from multitask.web.backoffice import addresses, escrows, withdrawals, words
from multitask.web.backoffice.columns import MoneyList, badge, mono, person, waiting
from multitask.web.backoffice.listing import Chips, ReadOnly, states
from multitask.web.backoffice.site import site
from multitask.web.pages.templatetags.money import moment, money


@admin.register(Escrow, site=site)
class Escrows(MoneyList):
    """Every escrow."""

    title = _("Escrows")
    explanation = _("The money of one task, from the first request to pay to its release or return.")
    list_display = ("number", "task_title", "total", "state_in_words", "from_client", "to_freelancer", "begun")
    list_filter: ClassVar[Any] = (
        states(
            "state",
            _("State"),
            words.choices("escrow", "pending_payment", "funded", "disputed", "released", "refunded", "cancelled"),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Escrow]:
        """With the task and both sides."""
        found: QuerySet[Escrow] = super().get_queryset(request)
        return found.select_related("agreement", "client", "freelancer")

    @admin.display(description=_("Task"))
    def task_title(self, row: Escrow) -> str:
        """What the work is."""
        return row.agreement.title

    @admin.display(description=_("Amount"))
    def total(self, row: Escrow) -> str:
        """What the client pays."""
        return money(row.total)

    @admin.display(description=_("Client"))
    def from_client(self, row: Escrow) -> SafeString:
        """Who pays."""
        return person(row.client)

    @admin.display(description=_("Freelancer"))
    def to_freelancer(self, row: Escrow) -> SafeString:
        """Who works."""
        return person(row.freelancer)

    def show(self, request: HttpRequest, row: Escrow) -> HttpResponse:
        """The escrow's page."""
        return escrows.show(request, row)


class OfEscrow(MoneyList):
    """Rows whose story is told on the page of their escrow."""

    def show(self, request: HttpRequest, row: Any) -> HttpResponse:
        """Go to the escrow, at the row."""
        return redirect(addresses.escrow(row.escrow_id, f"{self.opts.model_name}-{row.pk}"))


@admin.register(Payment, site=site)
class Payments(OfEscrow):
    """Every payment of a client."""

    title = _("Payments")
    explanation = _("What clients paid, or tried to. A payment under review fits no escrow: it is sent back.")
    list_display = ("number", "provider_id", "amount", "state_in_words", "of_escrow", "begun")
    list_filter: ClassVar[Any] = (
        waiting(review=_("Payments under review")),
        states("state", _("State"), words.choices("payment", "pending", "succeeded", "cancelled", "returned")),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Payment) -> SafeString:
        """The payment intent."""
        return mono(row.provider_payment_id)


@admin.register(Refund, site=site)
class Refunds(OfEscrow):
    """Every refund and every request for one."""

    title = _("Refunds")
    explanation = _("Money on its way back to clients, and requests for it.")
    list_display = ("number", "provider_id", "amount", "state_in_words", "why", "of_escrow", "begun")
    list_filter: ClassVar[Any] = (
        waiting(failed=_("Failed, not tried again")),
        states(
            "state",
            _("State"),
            words.choices("refund", "requested", "pending", "succeeded", "failed", "refused", "withdrawn"),
        ),
    )

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Refund) -> SafeString:
        """The refund at the provider."""
        return mono(row.provider_refund_id)

    @admin.display(description=_("Why it failed"))
    def why(self, row: Refund) -> str:
        """The reason that people read."""
        return row.failure_reason or "–"


@admin.register(Withdrawal, site=site)
class Withdrawals(MoneyList):
    """Every withdrawal."""

    title = _("Withdrawals")
    explanation = _("Money on its way from wallets to banks. A failed one is in its owner's wallet again.")
    list_display = ("number", "provider_id", "owner", "amount", "state_in_words", "why", "begun")
    list_filter: ClassVar[Any] = (
        states("state", _("State"), words.choices("withdrawal", "pending", "processing", "completed", "failed")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        """With its owner and the account it leaves from."""
        found: QuerySet[Withdrawal] = super().get_queryset(request)
        return found.select_related("user", "account")

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Withdrawal) -> SafeString:
        """The payout at the provider."""
        return mono(row.provider_payout_id)

    @admin.display(description=_("Whose"))
    def owner(self, row: Withdrawal) -> SafeString:
        """Who withdraws."""
        return person(row.user)

    @admin.display(description=_("Why it failed"))
    def why(self, row: Withdrawal) -> str:
        """The reason that people read."""
        return row.failure_reason or "–"

    def show(self, request: HttpRequest, row: Withdrawal) -> HttpResponse:
        """The withdrawal's page."""
        return withdrawals.show(request, row)


@admin.register(Dispute, site=site)
class Disputes(OfEscrow):
    """Two sides who do not agree."""

    title = _("Disputes")
    explanation = _("Two sides who do not agree. Finance staff settles it with a split of what is in escrow.")
    list_display = ("number", "reason_given", "state_in_words", "held", "of_escrow", "begun")
    list_select_related = ("escrow",)
    list_filter: ClassVar[Any] = (states("state", _("State"), words.choices("dispute")),)

    @admin.display(description=_("Reason"))
    def reason_given(self, row: Dispute) -> str:
        """Why."""
        return row.reason[:80]

    @admin.display(description=_("In escrow"))
    def held(self, row: Dispute) -> str:
        """What it is about."""
        return money(row.escrow.remaining)

    @admin.display(description=_("Begun"))
    def begun(self, row: Dispute) -> str:
        """When it was opened."""
        return moment(row.opened_at)


class OpenChargeback(Chips):
    """Those that hold money, or those that do not."""

    title = _("State")
    parameter_name = "open"
    choices_in_words: ClassVar[dict[str, Any]] = {"yes": _("Holds money"), "no": _("Over")}

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """By the bank's word."""
        over = {"status__in": sorted(HARMLESS)}
        return queryset.exclude(**over) if chosen == "yes" else queryset.filter(**over)


@admin.register(Chargeback, site=site)
class Chargebacks(OfEscrow):
    """Payments that a cardholder's bank contests."""

    title = _("Chargebacks")
    explanation = _("A cardholder's bank contests a payment; the escrow is held as it is until the bank has decided.")
    list_display = ("number", "provider_id", "amount", "state_in_words", "of_escrow", "begun")
    list_filter: ClassVar[Any] = (OpenChargeback,)

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: Chargeback) -> SafeString:
        """The dispute at the provider."""
        return mono(row.provider_dispute_id)

    @admin.display(description=_("State"))
    def state_in_words(self, row: Chargeback) -> SafeString:
        """The provider's own word."""
        return badge("chargeback", row.status)

    @admin.display(description=_("Begun"))
    def begun(self, row: Chargeback) -> str:
        """When it was opened."""
        return moment(row.opened_at)


class Answer(Chips):
    """By what the second person said."""

    title = _("Answer")
    parameter_name = "answer"
    choices_in_words: ClassVar[dict[str, Any]] = words.choices("approval")

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The rows with that answer."""
        return queryset.filter(approved={"waiting": None, "approved": True, "turned_down": False}[chosen])


@admin.register(Approval, site=site)
class Approvals(ReadOnly):
    """Large decisions that need a second person."""

    title = _("Approvals")
    explanation = _("Large decisions of one person; nothing moves until a second person has approved them.")
    list_display = ("decision", "amount", "answer", "asked_by", "answered_by", "asked")
    list_select_related = ("escrow", "requested_by", "decided_by")
    list_filter: ClassVar[Any] = (Answer,)

    @admin.display(description=_("Decision"))
    def decision(self, row: Approval) -> str:
        """What was asked for."""
        return words.of("approval_kind", row.kind)

    @admin.display(description=_("Amount"))
    def amount(self, row: Approval) -> str:
        """How much it decides over."""
        return money(escrows.decided_amount(row))

    @admin.display(description=_("Answer"))
    def answer(self, row: Approval) -> SafeString:
        """What the second person said."""
        return badge("approval", escrows.answer_of(row))

    @admin.display(description=_("Asked by"))
    def asked_by(self, row: Approval) -> SafeString:
        """The first person."""
        return person(row.requested_by)

    @admin.display(description=_("Answered by"))
    def answered_by(self, row: Approval) -> SafeString:
        """The second person."""
        return person(row.decided_by)

    @admin.display(description=_("Asked"))
    def asked(self, row: Approval) -> str:
        """When."""
        return moment(row.requested_at)

    def show(self, request: HttpRequest, row: Approval) -> HttpResponse:
        """Go to the escrow, at the decision."""
        return redirect(addresses.escrow(row.escrow_id, f"approval-{row.pk}"))
