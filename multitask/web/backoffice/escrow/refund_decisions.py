"""Decisions about a refund of which nobody knows whether the provider made it."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments.escrow import undecided_refunds
from multitask.payments.models import Refund
from multitask.web.backoffice.base.actions import (
    SharedReasonForm,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
)
from multitask.web.backoffice.escrow.refund_actions import RefundAction
from multitask.web.pages.base.fields import TextField
from multitask.web.pages.templatetags.money import money


class FoundForm(SharedReasonForm):
    """The provider's id of the refund, and how that is known."""

    provider_refund_id = TextField(label=gettext_lazy("The provider's id of the refund"), max_length=64)

    def __init__(self, *args: Any, **options: Any) -> None:
        """Ask for the id first."""
        super().__init__(*args, **options)
        self.order_fields(["provider_refund_id", "note"])


class RefundDecision(RefundAction):
    """A decision about a refund of unknown outcome."""

    is_irreversible = True

    def summary(self, subject: Refund) -> Summary:
        """Return the refund and its escrow."""
        return [(_("Refund"), money(subject.amount)), *escrow_summary(subject.escrow)]


class RefundWasPaid(RefundDecision):
    """Decide that the refund was made."""

    name = "refund-was-paid"
    title = gettext_lazy("The refund was made")
    button_label = gettext_lazy("It was paid")

    def form(self, subject: Refund, *args: Any) -> forms.Form:
        """Return the form for the provider's id."""
        return FoundForm(*args)

    def consequences(self, subject: Refund) -> list[str]:
        """Return what is booked."""
        return [
            _("The refund counts as paid. A refund made in the provider's dashboard counts too, if it was this one."),
            _("Decide this only after you have seen the refund at the provider."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Decide, or ask for approval."""
        return undecided_refunds.was_paid(
            actor=submission.actor,
            refund_id=subject.pk,
            provider_refund_id=submission.data["provider_refund_id"],
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund counts as paid."))


class RefundWasNotMade(RefundDecision):
    """Decide that the refund was certainly not made."""

    name = "refund-was-not-made"
    title = gettext_lazy("The refund was certainly not made")
    button_label = gettext_lazy("It was certainly not made")

    def consequences(self, subject: Refund) -> list[str]:
        """Return where the money is then."""
        return [
            _("%(amount)s goes back to where it came from, and can be refunded again.")
            % {"amount": money(subject.amount)},
            _("If the provider has refunded it all the same, the client gets it twice once it is refunded again."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Decide, or ask for approval."""
        return undecided_refunds.was_not_made(
            actor=submission.actor,
            refund_id=subject.pk,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund counts as failed."))
