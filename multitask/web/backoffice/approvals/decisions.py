"""What a large decision is about, and how it was answered."""

from typing import Final

from multitask.money import Money
from multitask.payments.authorization.approvals import SETTLE
from multitask.payments.models import Approval

WAITING: Final = "waiting"


def decided_amount(approval: Approval) -> Money:
    """Return the amount that an approval decides about; its escrow has been read."""
    arguments = approval.arguments
    minor = (
        arguments["client_minor"] + arguments["freelancer_minor"]
        if approval.kind == SETTLE
        else arguments["amount_minor"]
    )
    return Money(minor, arguments.get("currency", approval.escrow.currency))


def answer_of(approval: Approval) -> str:
    """Return waiting, approved or turned_down."""
    if approval.approved is None:
        return WAITING
    return "approved" if approval.approved else "turned_down"
