"""Actions on an escrow: release, refund, settlement of its dispute, return of a payment."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.escrow import disputes, refunds, releases
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Dispute, Escrow, Payment
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links, refund_words
from multitask.web.backoffice.base.actions import (
    Action,
    EscrowAction,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.backoffice.escrow.forms import RefundForm, SettlementForm
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import money


class Release(EscrowAction):
    """Release what is left to the freelancer."""

    name = "release"
    power = Power.RELEASE
    title = gettext_lazy("Release the escrow")
    button_label = gettext_lazy("Release")
    is_irreversible = True

    def consequences(self, subject: Escrow) -> list[str]:
        """Return who gets how much."""
        split = subject.terms.split(subject.remaining)
        values = {"name": subject.freelancer.username, "share": money(split.freelancer), "fee": money(split.fee)}
        return [
            _("%(share)s goes to %(name)s, %(fee)s to the platform as its fee.") % values,
            _("The client may not have confirmed the work: you decide instead of them."),
            *approval_warning(subject, subject.remaining),
        ]

    def execute(self, subject: Escrow, submission: Submission) -> object:
        """Release it, or ask for approval."""
        return releases.release(
            actor=submission.actor,
            escrow_id=subject.pk,
            now=submission.now,
            request_key=submission.request_key,
            note=submission.note,
        )

    def success_message(self, subject: Escrow, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("Released. %(name)s was told.") % {"name": subject.freelancer.username})


class RefundClient(EscrowAction):
    """Send money in escrow back to the client."""

    name = "refund"
    power = Power.REFUND
    title = gettext_lazy("Refund the client")
    button_label = gettext_lazy("Refund")
    is_irreversible = True

    def form(self, subject: Escrow, *args: Any) -> forms.Form:
        """Return the form for the amount, the cause and the reason."""
        return RefundForm(*args, escrow=subject)

    def consequences(self, subject: Escrow) -> list[str]:
        """Return where the money goes."""
        values = {"name": subject.client.username, "amount": money(subject.remaining)}
        return [
            _("At most %(amount)s leaves escrow and goes back to %(name)s.") % values,
            refund_words.sentence(subject),
            _("What is not refunded stays in escrow."),
            *approval_warning(subject, subject.remaining),
        ]

    def execute(self, subject: Escrow, submission: Submission) -> object:
        """Refund it, or ask for approval."""
        return refunds.ask_or_refund(
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


class SettleDispute(Action):
    """Settle a dispute by a split of what is in escrow."""

    name = "settle"
    power = Power.SETTLE_DISPUTE
    title = gettext_lazy("Settle the dispute")
    button_label = gettext_lazy("Settle")
    is_irreversible = True

    def subject(self, actor: Actor, subject_id: int | None) -> Dispute:
        """Return the dispute, with its escrow."""
        dispute = access.dispute(actor, require_id(subject_id))
        dispute.escrow = access.escrow(actor, dispute.escrow_id)
        return dispute

    def form(self, subject: Dispute, *args: Any) -> forms.Form:
        """Return the form for the two amounts and the reason."""
        return SettlementForm(*args, escrow=subject.escrow)

    def summary(self, subject: Dispute) -> Summary:
        """Return the escrow's summary and the dispute's reason."""
        return [*escrow_summary(subject.escrow), (_("Reason of the dispute"), subject.reason)]

    def consequences(self, subject: Dispute) -> list[str]:
        """Return how the money is split."""
        remaining = subject.escrow.remaining
        return [
            _("The two amounts add up to %(amount)s.") % {"amount": money(remaining)},
            _("The platform's fee is taken from the freelancer's amount, none from the client's."),
            *approval_warning(subject.escrow, remaining),
        ]

    def execute(self, subject: Dispute, submission: Submission) -> object:
        """Settle it, or ask for approval."""
        return disputes.settle(
            actor=submission.actor,
            dispute_id=subject.pk,
            client_amount=submission.data["client_amount"],
            freelancer_amount=submission.data["freelancer_amount"],
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Dispute, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The dispute is settled. Both sides were told."))

    def result_address(self, subject: Dispute) -> str:
        """Return the escrow's page, at the dispute."""
        return links.escrow(subject.escrow_id, f"dispute-{subject.pk}")


class ReturnPayment(Action):
    """Send a payment back that fits no escrow."""

    name = "return-payment"
    power = Power.REFUND
    title = gettext_lazy("Send the payment back")
    button_label = gettext_lazy("Send back")
    is_irreversible = True
    reasons: ClassVar[dict[str, Any]] = {
        "amount_mismatch": gettext_lazy("The amount received is not the amount asked for."),
        "second_payment": gettext_lazy("The task was paid already or called off."),
    }

    def subject(self, actor: Actor, subject_id: int | None) -> Payment:
        """Return the payment, with its escrow."""
        payment = Payment.objects.filter(pk=require_id(subject_id)).first()
        if payment is None:
            raise NotFound
        payment.escrow = access.escrow(actor, payment.escrow_id)
        return payment

    def summary(self, subject: Payment) -> Summary:
        """Return the payment, its state and why it is under review."""
        why = self.reasons.get(subject.review_reason, subject.review_reason or "–")
        facts: Summary = [(_("Payment"), str(subject)), (_("State"), status_labels.label(subject.state))]
        return [*facts, (_("Why it is under review"), why), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Payment) -> list[str]:
        """Return where the money goes."""
        values = {"name": subject.escrow.client.username}
        sentence = _("The whole payment goes back to %(name)s; the escrow is not touched.") % values
        if not subject.received_currency:
            return [sentence]
        received = Money(subject.received_minor, subject.received_currency)
        return [sentence, *approval_warning(subject.escrow, received)]

    def execute(self, subject: Payment, submission: Submission) -> object:
        """Refund the payment, or ask for approval."""
        return unapplied_payments.return_payment(
            actor=submission.actor,
            payment_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Payment, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The payment is on its way back."))

    def result_address(self, subject: Payment) -> str:
        """Return the escrow's page, at the payment."""
        return links.escrow(subject.escrow_id, f"payment-{subject.pk}")
