"""The actions that an actor may take on an escrow now, by the same rules that the commands enforce."""

from multitask.payments.authorization import access, approvals
from multitask.payments.escrow import refunds
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.actor import STAFF_ROLES, Actor, Power, Role


def allowed(actor: Actor, escrow: Escrow) -> list[str]:
    """Return the names of the actions that would be accepted now, in the order in which pages show them."""
    found = _allowed(actor, escrow)
    # While a decision waits for a second person, the commands refuse all other decisions of the staff.
    if found and access.party(actor, escrow) in STAFF_ROLES and approvals.is_any_open(escrow):
        return []
    return found


def _allowed(actor: Actor, escrow: Escrow) -> list[str]:
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
    open_refund = _open_refund(escrow)
    if open_refund is not None:
        return _about_refund(actor, role, open_refund)
    return _about_money(actor, role, escrow)


def _open_refund(escrow: Escrow) -> Refund | None:
    states = [state.value for state in OPEN_REFUNDS]
    return escrow.refunds.filter(source="escrow", state__in=states).first()


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
