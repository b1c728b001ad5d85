"""Deeds about decisions of colleagues."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.authorization.approvals import SETTLE
from multitask.payments.errors import NotFound
from multitask.payments.models import Approval
from multitask.users.actor import Actor, Power
from multitask.web.backoffice import addresses, words
from multitask.web.backoffice.deeds.deed import Deed, Facts, Order, numbered
from multitask.web.backoffice.deeds.money_deeds import escrow_facts
from multitask.web.backoffice.escrows import decided_amount
from multitask.web.pages.templatetags.money import moment, money


class Decide(Deed):
    """Answer what a colleague asked for."""

    power = Power.REFUND
    approve: ClassVar[bool]

    def subject(self, actor: Actor, subject_id: int | None) -> Approval:
        """The decision, with its escrow."""
        found = approvals.visible(actor).filter(pk=numbered(subject_id)).select_related("requested_by").first()
        if found is None:
            raise NotFound
        found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def facts(self, subject: Approval) -> Facts:
        """What was asked for, by whom and why."""
        told: Facts = [
            (_("Decision"), words.of("approval_kind", subject.kind)),
            (_("Amount"), money(decided_amount(subject))),
            (_("Asked by"), subject.requested_by.username),
            (_("Asked"), moment(subject.requested_at)),
            (_("Their reason"), subject.arguments.get("note") or "–"),
        ]
        return [*told, *escrow_facts(subject.escrow)]

    def carry_out(self, subject: Approval, order: Order) -> object:
        """Answer it."""
        return approvals.decide(
            actor=order.actor,
            approval_id=subject.pk,
            approve=self.approve,
            now=order.now,
            request_key=order.request_key,
            note=order.note,
        )

    def address(self, subject: Approval) -> str:
        """The escrow's page, at the decision."""
        return addresses.escrow(subject.escrow_id, f"approval-{subject.pk}")


class Approve(Decide):
    """Be the second person."""

    name = "approve"
    title = gettext_lazy("Approve as the second person")
    verb = gettext_lazy("Approve")
    is_final = True
    approve = True
    begins: ClassVar[dict[str, Any]] = {
        approvals.REFUND: gettext_lazy("The refund begins at once."),
        approvals.RELEASE: gettext_lazy("The money is released at once."),
        approvals.RETRY_REFUND: gettext_lazy("A new refund begins at once; the failed one stays as it is."),
        approvals.RETRY_TRANSFER: gettext_lazy("The provider is asked at once to send the share again."),
        approvals.RETURN_PAYMENT: gettext_lazy("The whole payment is sent back at once."),
    }

    def consequences(self, subject: Approval) -> list[str]:
        """What happens at once."""
        told = {"name": subject.requested_by.username}
        four_eyes = _("%(name)s cannot approve this, as they asked for it; with you it has four eyes.") % told
        if subject.kind != SETTLE:
            return [str(self.begins[subject.kind]), four_eyes]
        shares = {
            "client": money(_part(subject, "client_minor")),
            "freelancer": money(_part(subject, "freelancer_minor")),
        }
        split = _("%(client)s goes back to the client, %(freelancer)s to the freelancer less the fee, at once.")
        return [split % shares, four_eyes]

    def done(self, subject: Approval, outcome: object) -> str:
        """Say so."""
        return _("Approved and carried out.")


class TurnDown(Decide):
    """Say no to a colleague."""

    name = "turn-down"
    title = gettext_lazy("Turn the request down")
    verb = gettext_lazy("Turn down")
    approve = False

    def consequences(self, subject: Approval) -> list[str]:
        """What happens."""
        return [_("Nothing moves. It can be asked for again.")]

    def done(self, subject: Approval, outcome: object) -> str:
        """Say so."""
        return _("Turned down. Nothing has moved.")


def _part(approval: Approval, name: str) -> Money:
    return Money(approval.arguments[name], approval.escrow.currency)
