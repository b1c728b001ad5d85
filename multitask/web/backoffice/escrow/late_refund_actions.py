"""Actions on what was released: a refund after the release, and giving up one that failed."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.errors import DomainError
from multitask.money import Money
from multitask.payments.escrow import charges
from multitask.payments.losses import late_refunds, refund_losses
from multitask.payments.losses.waterfall import Shares
from multitask.payments.models import Escrow, Refund
from multitask.users.actor import Power
from multitask.web.backoffice.base import columns, refund_words, waterfall_words
from multitask.web.backoffice.base.actions import (
    EscrowAction,
    SharedReasonForm,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
)
from multitask.web.backoffice.escrow.refund_actions import RefundAction
from multitask.web.pages.base import error_messages, status_labels
from multitask.web.pages.base.fields import AmountField
from multitask.web.pages.escrow.forms import RefundForm as PageRefundForm
from multitask.web.pages.templatetags.money import money


def refundable(escrow: Escrow) -> Money:
    """Return what was released and has not gone back."""
    return Money(escrow.released_minor - escrow.returned_minor, escrow.currency)


class LateRefundForm(SharedReasonForm):
    """The amount, the cause and the reason; who bears the amount is shown before it is sent."""

    reason = forms.ChoiceField(label=gettext_lazy("Cause"), choices=PageRefundForm.REASONS)
    previewed = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    def __init__(self, *args: Any, escrow: Escrow) -> None:
        """Set the currency of the amount, and the preview of the whole amount."""
        super().__init__(*args)
        self.escrow = escrow
        self.fields["previewed"].initial = waterfall_words.version(_shares(escrow, None))
        self.fields["amount"] = AmountField(
            currency=escrow.currency,
            label=_("Amount in %(currency)s") % {"currency": escrow.currency},
            required=False,
            help_text=_("Leave it empty for everything that is left: %(amount)s.")
            % {"amount": money(refundable(escrow))},
        )
        self.order_fields(["amount", "reason", "note"])

    def clean(self) -> dict[str, Any]:
        """Show who bears the amount, if the form was not sent with the present preview."""
        found: dict[str, Any] = super().clean() or {}
        if "amount" not in found:
            return found
        try:
            shares = _shares(self.escrow, found["amount"])
        except DomainError as refusal:
            raise ValidationError({"amount": error_messages.of(refusal)}) from refusal
        seen = waterfall_words.version(shares)
        if found.get("previewed") != seen:
            self.data = {**self.data, "previewed": seen}
            borne = " ".join(waterfall_words.sentences(self.escrow, shares))
            raise ValidationError(_("Submit again to confirm who bears the refund: %(borne)s") % {"borne": borne})
        return found


def _shares(escrow: Escrow, amount: Money | None) -> Shares:
    """Return who would bear a refund. Raises what the command raises for the amount."""
    left = refundable(escrow)
    wanted = left if amount is None else amount
    late_refunds.require_at_most(left, wanted)
    return refund_losses.preview(escrow, wanted)


class RefundReleased(EscrowAction):
    """Refund the client from what was released."""

    name = "refund-released"
    power = Power.REFUND
    title = gettext_lazy("Refund the client after the release")
    button_label = gettext_lazy("Refund after the release")
    is_irreversible = True

    def form(self, subject: Escrow, *args: Any) -> forms.Form:
        """Return the form for the amount, the cause and the reason."""
        return LateRefundForm(*args, escrow=subject)

    def consequences(self, subject: Escrow) -> list[str]:
        """Return who bears a refund of everything."""
        left = refundable(subject)
        values = {"name": subject.client.username, "amount": money(left)}
        return [
            refund_words.sentence(subject),
            _("At most %(amount)s goes back to %(name)s. Of the whole amount:") % values,
            *waterfall_words.sentences(subject, _shares(subject, None)),
            *approval_warning(subject, left),
        ]

    def execute(self, subject: Escrow, submission: Submission) -> object:
        """Refund it, or ask for approval."""
        return late_refunds.refund(
            actor=submission.actor,
            escrow_id=subject.pk,
            amount=submission.data["amount"],
            reason=submission.data["reason"],
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Escrow, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is on its way."))


class GiveUpRefund(RefundAction):
    """Give the money of a failed refund after the release back to those who bore it."""

    name = "give-up-refund"
    title = gettext_lazy("Give the refund up")
    button_label = gettext_lazy("Give up")
    is_irreversible = True

    def summary(self, subject: Refund) -> Summary:
        """Return the refund and why it failed."""
        facts: Summary = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        return [*facts, (_("Why it failed"), columns.why(subject.failure_reason)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Refund) -> list[str]:
        """Return who gets the money back."""
        goes_back = _("The client does not get the %(amount)s: it goes back to those who bore it.")
        if not charges.is_owed(subject):
            return [
                goes_back % {"amount": money(subject.amount)},
                _("The bank has given the client this money with a chargeback: what goes back bears that loss first."),
                *approval_warning(subject.escrow, subject.amount),
            ]
        return [
            goes_back % {"amount": money(subject.amount)},
            _("The freelancer's part is transferred to their payout account again; the platform keeps its fee."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Give it up, or ask for approval."""
        return late_refunds.give_up(
            actor=submission.actor,
            refund_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund was given up."))
