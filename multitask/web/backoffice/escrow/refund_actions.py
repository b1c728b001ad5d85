"""Actions on a refund: the answer to the client's request, and another try of a failed one."""

from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments.authorization import access
from multitask.payments.escrow import refunds, refunds_by_bank
from multitask.payments.models import Refund
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import columns, links, refund_words
from multitask.web.backoffice.base.actions import (
    Action,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import money


class RefundAction(Action):
    """An action on a refund, or on the request for one."""

    power = Power.REFUND

    def subject(self, actor: Actor, subject_id: int | None) -> Refund:
        """Return the refund, with its escrow."""
        refund = access.refund(actor, require_id(subject_id))
        refund.escrow = access.escrow(actor, refund.escrow_id)
        return refund

    def result_address(self, subject: Refund) -> str:
        """Return the escrow's page, at the refund."""
        return links.escrow(subject.escrow_id, f"refund-{subject.pk}")


class AnswerRefund(RefundAction):
    """The base of accepting and refusing a client's request instead of the freelancer."""

    accept: ClassVar[bool]

    def summary(self, subject: Refund) -> Summary:
        """Return the request and why it was made."""
        facts: Summary = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        why = subject.note or status_labels.reason_label(subject.reason)
        return [*facts, (_("Their reason"), why), *escrow_summary(subject.escrow)]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Accept or refuse it, or ask for approval."""
        return refunds.answer(
            actor=submission.actor,
            refund_id=subject.pk,
            accept=self.accept,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )


class AcceptRefund(AnswerRefund):
    """Accept the client's request."""

    name = "accept-refund"
    title = gettext_lazy("Agree to the refund")
    button_label = gettext_lazy("Agree")
    is_irreversible = True
    accept = True

    def consequences(self, subject: Refund) -> list[str]:
        """Return where the money goes."""
        values = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("%(amount)s leaves escrow and goes back to %(name)s.") % values,
            refund_words.sentence(subject.escrow),
            _("The freelancer has not answered: you decide instead of them."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is on its way."))


class RefuseRefund(AnswerRefund):
    """Refuse the client's request."""

    name = "refuse-refund"
    title = gettext_lazy("Refuse the refund")
    button_label = gettext_lazy("Refuse")
    accept = False

    def consequences(self, subject: Refund) -> list[str]:
        """Return what follows."""
        return [
            _("A dispute opens, which the finance staff settles; the money stays in escrow until then."),
            _("The freelancer has not answered: you decide instead of them."),
        ]

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return _("Refused. A dispute is open.")


class RetryRefund(RefundAction):
    """Try a failed refund again."""

    name = "retry-refund"
    title = gettext_lazy("Try the refund again")
    button_label = gettext_lazy("Try again")

    def summary(self, subject: Refund) -> Summary:
        """Return the refund and why it failed."""
        facts: Summary = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        return [*facts, (_("Why it failed"), columns.why(subject.failure_reason)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Refund) -> list[str]:
        """Return what is sent."""
        values = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("A new refund of %(amount)s to %(name)s begins; the failed one stays as it is.") % values,
            _("It can be retried once."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Begin a new refund, or ask for approval."""
        return refunds.retry(actor=submission.actor, refund_id=subject.pk, now=submission.now, note=submission.note)

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is tried again."))


class RefundByBank(RefundAction):
    """Record that a failed refund was paid by bank transfer."""

    name = "refund-by-bank"
    title = gettext_lazy("Record that the refund was paid by bank transfer")
    button_label = gettext_lazy("Paid by bank transfer")
    is_irreversible = True

    def summary(self, subject: Refund) -> Summary:
        """Return the refund and why it failed."""
        facts: Summary = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        return [*facts, (_("Why it failed"), columns.why(subject.failure_reason)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Refund) -> list[str]:
        """Return what is recorded."""
        values = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("Pay %(amount)s to %(name)s from the platform's own bank account first, and name the transfer below.")
            % values,
            _("The money that waits at the payment provider becomes the platform's own."),
            _("It always needs a second person: nothing moves until a colleague approves it."),
        ]

    def execute(self, subject: Refund, submission: Submission) -> object:
        """Ask for approval."""
        return refunds_by_bank.record(
            actor=submission.actor,
            refund_id=subject.pk,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Refund, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is recorded as paid."))
