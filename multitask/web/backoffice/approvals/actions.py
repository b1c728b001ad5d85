"""Actions on a large decision that a colleague asked for."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.authorization.approvals import SETTLE
from multitask.payments.errors import NotFound
from multitask.payments.losses import booking, refund_losses
from multitask.payments.models import Approval
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.approvals.decisions import (
    currency_of,
    debtor,
    decided_amount,
    kind_label,
    subject_address,
)
from multitask.web.backoffice.base import waterfall_words
from multitask.web.backoffice.base.actions import (
    Action,
    Button,
    Submission,
    Summary,
    escrow_summary,
    require_id,
)
from multitask.web.pages.templatetags.money import moment, money


class ApprovalAction(Action):
    """An action on a decision that waits for a second person."""

    power = Power.READ_ANY  # what more it takes, the kind of decision says
    approve: ClassVar[bool]

    def power_for(self, subject: Approval) -> Power:
        """Return the power that the kind of decision takes."""
        return approvals.power_of(subject.kind)

    def subject(self, actor: Actor, subject_id: int | None) -> Approval:
        """Return the approval, with its escrow."""
        found = approvals.visible(actor).filter(pk=require_id(subject_id)).select_related("requested_by").first()
        if found is None:
            raise NotFound
        if found.escrow_id is not None:
            found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def summary(self, subject: Approval) -> Summary:
        """Return what was asked for, by whom and why."""
        facts: Summary = [
            (_("Decision"), kind_label(subject)),
            (_("Amount"), money(decided_amount(subject))),
            (_("Asked by"), subject.requested_by.username),
            (_("Asked"), moment(subject.requested_at)),
            (_("Their reason"), subject.arguments.get("note") or "–"),
        ]
        facts += _waterfall(subject)
        if subject.escrow is not None:
            return [*facts, *escrow_summary(subject.escrow)]
        person = debtor(subject)
        return facts if person is None else [*facts, (_("User"), person.username)]

    def execute(self, subject: Approval, submission: Submission) -> object:
        """Approve or reject it."""
        return approvals.decide(
            actor=submission.actor,
            approval_id=subject.pk,
            approve=self.approve,
            now=submission.now,
            request_key=submission.request_key,
            note=submission.note,
        )

    def result_address(self, subject: Approval) -> str:
        """Return the page of what was decided about."""
        return subject_address(subject)


class Approve(ApprovalAction):
    """Approve it as the second person."""

    name = "approve"
    title = gettext_lazy("Approve as the second person")
    button_label = gettext_lazy("Approve")
    is_irreversible = True
    approve = True
    first_step: ClassVar[dict[str, Any]] = {
        approvals.REFUND: gettext_lazy("The refund begins at once."),
        approvals.RELEASE: gettext_lazy("The money is released at once."),
        approvals.RETRY_REFUND: gettext_lazy("A new refund begins at once; the failed one stays as it is."),
        approvals.REFUND_BY_BANK: gettext_lazy("The refund counts as paid from the platform's own bank account."),
        approvals.RETRY_TRANSFER: gettext_lazy("The provider is asked at once to send the share again."),
        approvals.RETURN_PAYMENT: gettext_lazy("The whole payment is sent back at once."),
        approvals.EXPLAIN_LINE: gettext_lazy("The amount leaves suspense for the account that was chosen."),
        approvals.LATE_REFUND: gettext_lazy("The refund after the release begins at once."),
        approvals.GIVE_UP_REFUND: gettext_lazy("The money of the failed refund goes back to those who bore it."),
        approvals.GIVE_UP_REVERSAL: gettext_lazy("The reversal is given up at once, as was asked for."),
        approvals.DECIDE_REFUND: gettext_lazy("The refund ends at once, as was asked for."),
        approvals.DECIDE_WITHDRAWAL: gettext_lazy("The withdrawal ends at once, as was asked for."),
        approvals.RECORD_PAYOUT: gettext_lazy("The payout is booked at once: the money leaves the closed account."),
        approvals.DECIDE_PAYOUT: gettext_lazy("The payout is settled at once, as was asked for."),
        approvals.TRANSFER_AGAIN: gettext_lazy("The reversed money moves on at once."),
        approvals.WRITE_OFF: gettext_lazy("What is still owed is given up at once; the platform bears it."),
        approvals.BOOK_LOSS: gettext_lazy("The loss is booked at once, divided as shown above."),
        approvals.ACCEPT_CHARGEBACK: gettext_lazy("The bank is told at once that the chargeback is accepted as lost."),
        approvals.ADJUST: gettext_lazy("The balance is adjusted at once."),
    }

    def consequences(self, subject: Approval) -> list[str]:
        """Return what happens at once."""
        values = {"name": subject.requested_by.username}
        needs_other = _("%(name)s asked for this and cannot approve it; you are the second person.") % values
        if subject.kind != SETTLE:
            return [str(self.first_step[subject.kind]), *_borne(subject), needs_other]
        shares = {
            "client": money(_part(subject, "client_minor")),
            "freelancer": money(_part(subject, "freelancer_minor")),
        }
        split = _("%(client)s goes back to the client, %(freelancer)s to the freelancer less the fee, at once.")
        return [split % shares, needs_other]

    def success_message(self, subject: Approval, outcome: object) -> str:
        """Return the confirmation."""
        return _("Approved and carried out.")


class TurnDown(ApprovalAction):
    """Reject it."""

    name = "turn-down"
    title = gettext_lazy("Reject the request")
    button_label = gettext_lazy("Reject")
    approve = False

    def consequences(self, subject: Approval) -> list[str]:
        """Return what happens."""
        return [_("Nothing moves. It can be asked for again.")]

    def success_message(self, subject: Approval, outcome: object) -> str:
        """Return the confirmation."""
        return _("Rejected. Nothing has moved.")


def decision_buttons(approval: Approval, actor: Actor) -> list[Button]:
    """Return the buttons for a decision that waits, if this person may be the second one."""
    is_allowed = approvals.may_decide(actor, approval)
    return [Approve.button(approval.pk), TurnDown.button(approval.pk)] if is_allowed else []


def _borne(subject: Approval) -> list[str]:
    """Return who bears a refund after the release, if it is carried out now."""
    if subject.kind != approvals.LATE_REFUND or subject.escrow is None:
        return []
    return waterfall_words.sentences(subject.escrow, refund_losses.preview(subject.escrow, decided_amount(subject)))


def _waterfall(approval: Approval) -> Summary:
    """Return who would bear a loss, if that is what was asked for."""
    if approval.decided_at is not None or approval.escrow is None:
        return []
    if approval.kind == approvals.BOOK_LOSS:
        chargeback = approval.escrow.chargebacks.select_related("payment").get(pk=approval.arguments["chargeback_id"])
        chargeback.escrow = approval.escrow
        return waterfall_words.of_preview(booking.preview(chargeback), chargeback.taken.currency)
    return []


def _part(approval: Approval, name: str) -> Money:
    return Money(approval.arguments[name], currency_of(approval))
