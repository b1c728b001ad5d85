"""Refunds whose money waits and that nothing else takes: the platform pays them from its own bank account.

They failed, since no card takes them, or wait for a payout destination and their payout has not begun.

The money was decided for the client, so it is never given to the freelancer. What a refund after the release took may
also be given up (`losses/late_refunds.py`). The money of a payment that fits no escrow waits with that payment.
"""

from datetime import datetime
from typing import Any

from multitask import database
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.errors import Forbidden, WrongState
from multitask.payments.escrow import charges, refund_outcomes, unapplied
from multitask.payments.models import Approval, Disbursement, Escrow, Refund
from multitask.payments.states import RefundState
from multitask.users import powers
from multitask.users.actor import Actor, Power


@database.transactional
def record(*, actor: Actor, refund_id: int, note: str, now: datetime, request_key: str = "") -> Approval:
    """Ask to record that the platform has paid a waiting refund by bank transfer, as finance staff.

    It always needs a second person, since nothing at a provider shows the payment; `note` names it. Until it is
    decided, no payout of the refund begins. A repeated `request_key` returns the same approval. Raises Forbidden,
    ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff pays refunds by bank transfer."))
    seen = access.refund(actor, refund_id)
    escrow = locks.locked_escrow(actor, seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    waiting = _waiting(escrow, seen.pk)
    if not note.strip():
        raise WrongState("Name the bank transfer in the reason.")
    arguments = {"refund_id": waiting.pk, "amount_minor": waiting.amount_minor, "note": note}
    return approvals.ask(
        approvals.REFUND_BY_BANK, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
    )


def _waiting(escrow: Escrow, refund_id: int) -> Refund:
    """Lock and return the refund, whose money is still there. Raises WrongState."""
    found = Refund.objects.select_for_update(no_key=True).get(pk=refund_id, escrow=escrow)
    if not may_be_recorded(found):
        raise WrongState(
            "Only a failed refund whose money waits, or one that waits for a payout destination, can be paid by bank "
            "transfer."
        )
    return found


def may_be_recorded(refund: Refund) -> bool:
    """Return whether a refund failed and its money waits for nothing else, or its payout has not begun."""
    if refund.state == RefundState.PENDING.value:
        return not refund.payment.is_refundable and not Disbursement.objects.filter(refund=refund).exists()
    if refund.state != RefundState.FAILED.value:
        return False
    if refund.source != "unapplied":
        return refund.holds_money and charges.is_owed(refund)
    return unapplied.can_be_refunded(refund.payment, refund.amount, refund.booked)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Record the approved payment; the caller has locked the escrow. Raises WrongState."""
    found, note = _waiting(escrow, arguments["refund_id"]), arguments["note"]
    if found.state == RefundState.PENDING.value:
        refund_outcomes.pay_pending_by_bank(escrow, found, actor=actor, now=now, note=note)
    else:
        refund_outcomes.pay_by_bank(escrow, found, actor=actor, now=now, note=note)
