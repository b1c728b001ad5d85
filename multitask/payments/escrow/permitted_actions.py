"""The actions that an actor may take on an escrow now, by the same rules that the commands enforce."""

from collections.abc import Sequence

from multitask.payments.authorization import access, approvals
from multitask.payments.escrow import refunds
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.actor import Actor, Power, Role

_MOVES_NOTHING = frozenset({"complete", "dispute", "withdraw_refund"})


def allowed(actor: Actor, escrow: Escrow) -> list[str]:
    """Return the names of the actions that would be accepted now, in the order in which pages show them."""
    return allowed_each(actor, [escrow])[escrow.pk]


def allowed_each(actor: Actor, escrows: Sequence[Escrow]) -> dict[int, list[str]]:
    """Return the permitted actions of several escrows by their ids, with at most two SQL statements."""
    refunds = _open_refunds(escrows)
    found = {escrow.pk: _allowed(actor, escrow, refunds.get(escrow.pk)) for escrow in escrows}
    # While a decision of the staff waits for a second person, nothing else moves the money.
    undecided = approvals.with_open([escrow.pk for escrow in escrows if found[escrow.pk]])
    return found | {pk: [action for action in found[pk] if action in _MOVES_NOTHING] for pk in undecided}


def _open_refunds(escrows: Sequence[Escrow]) -> dict[int, Refund]:
    """Return the open refunds by escrow id; an escrow has at most one."""
    funded = [escrow.pk for escrow in escrows if escrow.state == EscrowState.FUNDED.value and escrow.frozen_at is None]
    if not funded:
        return {}
    states = [state.value for state in OPEN_REFUNDS]
    found = Refund.objects.filter(escrow__in=funded, source="escrow", state__in=states)
    return {refund.escrow_id: refund for refund in found}


def _allowed(actor: Actor, escrow: Escrow, open_refund: Refund | None) -> list[str]:
    role = access.party(actor, escrow)
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        return ["pay"] if role is Role.CLIENT else []
    if escrow.frozen_at is not None:
        return []
    if escrow.state == EscrowState.DISPUTED.value:
        is_party = role in {Role.CLIENT, Role.FREELANCER}
        return ["settle"] if actor.may(Power.SETTLE_DISPUTE) and not is_party else []
    if escrow.state != EscrowState.FUNDED.value:
        return []
    if open_refund is not None:
        return _about_refund(actor, role, open_refund)
    return _about_money(actor, role, escrow)


def _about_refund(actor: Actor, role: Role, refund: Refund) -> list[str]:
    if refund.state != RefundState.REQUESTED.value:
        return []
    if role is Role.CLIENT:
        return ["withdraw_refund"]
    return ["accept_refund", "refuse_refund"] if role is Role.FREELANCER or actor.may(Power.REFUND) else []


def _about_money(actor: Actor, role: Role, escrow: Escrow) -> list[str]:
    actions = []
    completed = escrow.milestone.state == MilestoneState.COMPLETED.value
    if role is Role.CLIENT and escrow.milestone.state == MilestoneState.DELIVERED.value:
        actions.append("complete")
    if (role is Role.CLIENT and completed) or (role not in {Role.CLIENT, Role.FREELANCER} and actor.may(Power.RELEASE)):
        actions.append("release")
    if refunds.is_immediate(actor, escrow):
        actions.append("refund")
    elif role is Role.CLIENT:
        actions.append("request_refund")
    if role in {Role.CLIENT, Role.FREELANCER}:
        actions.append("dispute")
    return actions
