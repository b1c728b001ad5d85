"""Actions on a large decision that a colleague asked for."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.authorization.approvals import SETTLE
from multitask.payments.errors import NotFound
from multitask.payments.models import Approval
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.approvals.decisions import decided_amount
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import (
    Action,
    Submission,
    Summary,
    escrow_summary,
    require_id,
)
from multitask.web.pages.templatetags.money import moment, money


class ApprovalAction(Action):
    """An action on a decision that waits for a second person."""

    power = Power.REFUND
    approve: ClassVar[bool]

    def subject(self, actor: Actor, subject_id: int | None) -> Approval:
        """Return the approval, with its escrow."""
        found = approvals.visible(actor).filter(pk=require_id(subject_id)).select_related("requested_by").first()
        if found is None:
            raise NotFound
        found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def summary(self, subject: Approval) -> Summary:
        """Return what was asked for, by whom and why."""
        facts: Summary = [
            (_("Decision"), labels.of("approval_kind", subject.kind)),
            (_("Amount"), money(decided_amount(subject))),
            (_("Asked by"), subject.requested_by.username),
            (_("Asked"), moment(subject.requested_at)),
            (_("Their reason"), subject.arguments.get("note") or "–"),
        ]
        return [*facts, *escrow_summary(subject.escrow)]

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
        """Return the escrow's page, at the approval."""
        return links.escrow(subject.escrow_id, f"approval-{subject.pk}")


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
        approvals.RETRY_TRANSFER: gettext_lazy("The provider is asked at once to send the share again."),
        approvals.RETURN_PAYMENT: gettext_lazy("The whole payment is sent back at once."),
    }

    def consequences(self, subject: Approval) -> list[str]:
        """Return what happens at once."""
        values = {"name": subject.requested_by.username}
        needs_other = _("%(name)s asked for this and cannot approve it; you are the second person.") % values
        if subject.kind != SETTLE:
            return [str(self.first_step[subject.kind]), needs_other]
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


def _part(approval: Approval, name: str) -> Money:
    return Money(approval.arguments[name], approval.escrow.currency)
