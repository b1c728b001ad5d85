"""Actions on a reversal: where the money of one made at the provider goes, and who bears one that is never made."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound, WrongState
from multitask.payments.losses import lost_reversals, outside_reversals
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Reversal
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import (
    Action,
    SharedReasonForm,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.pages.templatetags.money import moment, money


class ReversalAction(Action):
    """An action on a reversal that waits for a decision."""

    power = Power.REFUND

    def subject(self, actor: Actor, subject_id: int | None) -> Reversal:
        """Return the reversal, with its escrow."""
        found = Reversal.objects.filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def summary(self, subject: Reversal) -> Summary:
        """Return what was reversed, and when."""
        facts: Summary = [
            (_("Reversed at the payment provider"), money(subject.amount)),
            (_("Noticed"), moment(subject.created_at)),
        ]
        return [*facts, *escrow_summary(subject.escrow)]

    def result_address(self, subject: Reversal) -> str:
        """Return the escrow's page, at the reversal."""
        return links.escrow(subject.escrow_id, f"reversal-{subject.pk}")


class TransferAgain(ReversalAction):
    """Transfer the share to the freelancer again."""

    name = "transfer-again"
    title = gettext_lazy("Transfer the share again")
    button_label = gettext_lazy("Transfer again")

    def consequences(self, subject: Reversal) -> list[str]:
        """Return where the money goes."""
        values = {"name": subject.escrow.freelancer.username, "amount": money(subject.amount)}
        return [
            _("%(amount)s goes to the payout account of %(name)s again and is theirs when it has arrived.") % values,
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Reversal, submission: Submission) -> object:
        """Transfer it, or ask for approval."""
        return outside_reversals.transfer_again(
            actor=submission.actor,
            reversal_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Reversal, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The share is transferred again."))


class RefundReversed(ReversalAction):
    """Refund the client with what came back."""

    name = "refund-reversed"
    title = gettext_lazy("Refund the client with what was reversed")
    button_label = gettext_lazy("Refund the client")
    is_irreversible = True

    def consequences(self, subject: Reversal) -> list[str]:
        """Return where the money goes."""
        values = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("%(amount)s and the platform's fee on it go back to the card of %(name)s.") % values,
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Reversal, submission: Submission) -> object:
        """Refund it, or ask for approval."""
        return outside_reversals.refund_client(
            actor=submission.actor,
            reversal_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Reversal, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is on its way."))


class BearerForm(SharedReasonForm):
    """Who bears it, and the reason."""

    bearer = forms.ChoiceField(label=gettext_lazy("Who bears it"))

    def __init__(self, *args: Any, bearers: tuple[Bearer, ...]) -> None:
        """Offer those who may bear it."""
        super().__init__(*args)
        field = self.fields["bearer"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(each.value, labels.of("bearer", each.value)) for each in bearers]
        self.order_fields(["bearer", "note"])


class GiveUpReversal(ReversalAction):
    """Give up a reversal that the provider refuses."""

    name = "give-up-reversal"
    title = gettext_lazy("Give the reversal up")
    button_label = gettext_lazy("Give up")
    is_irreversible = True

    def form(self, subject: Reversal, *args: Any) -> forms.Form:
        """Return the form."""
        return BearerForm(*args, bearers=lost_reversals.choices(subject))

    def summary(self, subject: Reversal) -> Summary:
        """Return what was to be taken back."""
        return [(_("To be taken back"), money(subject.amount)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Reversal) -> list[str]:
        """Return what is booked."""
        values = {"name": subject.escrow.freelancer.username, "amount": money(subject.amount)}
        if subject.is_move:
            return [
                _("%(amount)s stays in the former payout account and remains the money of %(name)s.") % values,
                *approval_warning(subject.escrow, subject.amount),
            ]
        ahead = self._ahead(subject)
        if ahead.amount_minor:
            paid = _("Of it, %(ahead)s was paid out to %(name)s before it was available.")
            sentences = [paid % (values | {"ahead": money(ahead)})]
        else:
            sentences = [_("%(amount)s stays in the payout account of %(name)s and leaves our books.") % values]
        return [
            *sentences,
            _("What they owe is taken from later releases; a loss of the platform is not asked back."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    @staticmethod
    def _ahead(subject: Reversal) -> Money:
        try:
            return lost_reversals.paid_ahead(subject)
        except WrongState:
            # The command refuses it with the reason.
            return Money.zero(subject.currency)

    def execute(self, subject: Reversal, submission: Submission) -> object:
        """Give it up, or ask for approval."""
        return lost_reversals.give_up(
            actor=submission.actor,
            reversal_id=subject.pk,
            bearer=Bearer(submission.data["bearer"]),
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Reversal, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The reversal was given up."))
