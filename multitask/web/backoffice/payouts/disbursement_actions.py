"""Actions on a payout from the budget of which nobody knows whether the provider made it."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments import staff_commands
from multitask.payments.errors import NotFound, WrongState
from multitask.payments.escrow import refund_payouts
from multitask.payments.models import Disbursement
from multitask.payments.payouts import undecided_payouts, withdrawal_cancellation, withdrawal_outcomes
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links
from multitask.web.backoffice.base.actions import (
    Action,
    ReasonForm,
    Submission,
    Summary,
    outcome_message,
    require_id,
)
from multitask.web.backoffice.payouts.budget_forms import PaidForm
from multitask.web.pages.templatetags.money import moment, money


class DisbursementAction(Action):
    """An action on a payout from the budget."""

    power = Power.ADJUST

    def subject(self, actor: Actor, subject_id: int | None) -> Disbursement:
        """Return the payout."""
        related = ("withdrawal__user", "refund__escrow__client", "destination")
        found = Disbursement.objects.select_related(*related).filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: Disbursement, *args: Any) -> forms.Form:
        """Return the form for the reason, which only the staff reads."""
        return ReasonForm(*args)

    def summary(self, subject: Disbursement) -> Summary:
        """Return to whom and where it goes, and when it was sent."""
        call = undecided_payouts.call_of(subject)
        return [
            (_("Payout"), str(subject.reference)),
            (_("Amount"), money(subject.amount)),
            (_("To"), str(subject.destination)),
            (_("Last sent"), moment(call.sent_at) if call is not None and call.sent_at is not None else "–"),
        ]

    def result_address(self, subject: Disbursement) -> str:
        """Return the payout's page."""
        return links.of(subject)


class LookUpPayout(DisbursementAction):
    """Look the payout up at the provider again."""

    name = "look-up-payout"
    title = gettext_lazy("Look the payout up at the provider again")
    button_label = gettext_lazy("Look it up again")

    def consequences(self, subject: Disbursement) -> list[str]:
        """Return why it is safe."""
        return [_("A worker asks the provider whether it made the payout. Nothing is sent again.")]

    def execute(self, subject: Disbursement, submission: Submission) -> object:
        """Queue the look."""
        call = undecided_payouts.call_of(subject)
        if call is None:
            raise WrongState("The outcome of this payout is known.")
        return staff_commands.retry_operation(
            actor=submission.actor, operation_id=call.pk, note=submission.note, now=submission.now
        )

    def success_message(self, subject: Disbursement, outcome: object) -> str:
        """Return the confirmation."""
        return _("A worker looks it up now. Look again in a moment.")


class PayoutWasPaid(DisbursementAction):
    """Decide that the payout was made."""

    name = "payout-was-paid"
    title = gettext_lazy("The payout was made")
    button_label = gettext_lazy("It was paid")
    is_irreversible = True

    def form(self, subject: Disbursement, *args: Any) -> forms.Form:
        """Return the form for the provider's id."""
        return PaidForm(*args, currency=subject.currency)

    def consequences(self, subject: Disbursement) -> list[str]:
        """Return what is posted."""
        return [
            _("The payout counts as paid: its amount leaves the books with the costs that you enter."),
            _("Decide this only after you have seen the payout at the provider."),
            *second_person(subject),
        ]

    def execute(self, subject: Disbursement, submission: Submission) -> object:
        """Decide, or ask for approval."""
        return undecided_payouts.was_paid(
            actor=submission.actor,
            disbursement_id=subject.pk,
            provider_payout_id=submission.data["provider_payout_id"],
            costs=PaidForm.costs_of(submission.data, subject.currency),
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Disbursement, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The payout counts as paid."))


class PayoutWasNotMade(DisbursementAction):
    """Decide that the payout was certainly not made."""

    name = "payout-was-not-made"
    title = gettext_lazy("The payout was certainly not made")
    button_label = gettext_lazy("It was certainly not made")
    is_irreversible = True

    def consequences(self, subject: Disbursement) -> list[str]:
        """Return what becomes available."""
        values = {"amount": money(subject.amount)}
        return [
            _("%(amount)s goes back to where it came from: to the owner's wallet, or to the escrow of a refund.")
            % values,
            _("If the provider has paid it all the same, it is paid twice once the owner asks again."),
            *second_person(subject),
        ]

    def execute(self, subject: Disbursement, submission: Submission) -> object:
        """Decide, or ask for approval."""
        return undecided_payouts.was_not_made(
            actor=submission.actor,
            disbursement_id=subject.pk,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Disbursement, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The money is available again."))


class CallOffWithdrawal(DisbursementAction):
    """Call off a withdrawal that waits."""

    name = "call-off-withdrawal"
    title = gettext_lazy("Call the waiting withdrawal off")
    button_label = gettext_lazy("Call it off")
    is_irreversible = True

    def consequences(self, subject: Disbursement) -> list[str]:
        """Return what becomes available."""
        sentence = _("Nothing is paid out; %(amount)s is available in the owner's wallet again.")
        return [sentence % {"amount": money(subject.amount)}]

    def execute(self, subject: Disbursement, submission: Submission) -> object:
        """Call it off."""
        if subject.withdrawal_id is None:
            raise WrongState("This payout is a refund.")
        return withdrawal_cancellation.call_off(
            actor=submission.actor, withdrawal_id=subject.withdrawal_id, note=submission.note, now=submission.now
        )

    def success_message(self, subject: Disbursement, outcome: object) -> str:
        """Return the confirmation."""
        return _("The withdrawal was called off; the money is available again.")


class ExplainPaid(DisbursementAction):
    """Explain why a withdrawal or refund was paid after its money was given back."""

    name = "explain-paid"
    title = gettext_lazy("Explain why it was paid after the money was given back")
    button_label = gettext_lazy("Explain")

    def consequences(self, subject: Disbursement) -> list[str]:
        """Return what the explanation permits."""
        if subject.refund_id is not None:
            return [
                _("Refunds of this payment can be paid out again. Settle with the client what they received twice.")
            ]
        return [_("Its owner can withdraw again. Book what they received twice as a correction first.")]

    def execute(self, subject: Disbursement, submission: Submission) -> object:
        """Record the reason."""
        if subject.withdrawal_id is None:
            return refund_payouts.explain(
                actor=submission.actor, disbursement_id=subject.pk, note=submission.note, now=submission.now
            )
        return withdrawal_outcomes.explain(
            actor=submission.actor, withdrawal_id=subject.withdrawal_id, note=submission.note, now=submission.now
        )

    def success_message(self, subject: Disbursement, outcome: object) -> str:
        """Return the confirmation."""
        return _("The explanation was recorded.")


def second_person(subject: Disbursement) -> list[str]:
    """Return a sentence about the second person, if the amount needs one."""
    if not undecided_payouts.is_large(subject.amount):
        return []
    sentence = _("%(amount)s needs a second person: nothing moves until a colleague approves it.")
    return [sentence % {"amount": money(subject.amount)}]
