"""The actions that an actor may take on an escrow now, by the same rules that the commands enforce."""

from collections.abc import Sequence

from django.db.models import OuterRef, Subquery

from multitask.payments.authorization import access, approvals
from multitask.payments.escrow import refunds
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import HOLDING_ESCROWS, OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.actor import Actor, Power, Role

_MOVES_NOTHING = frozenset({"complete", "dispute", "request_refund", "withdraw_refund"})


def allowed(actor: Actor, escrow: Escrow) -> list[str]:
    """Return the names of the actions that would be accepted now, in the order in which pages show them."""
    return allowed_each(actor, [escrow])[escrow.pk]


def allowed_each(actor: Actor, escrows: Sequence[Escrow]) -> dict[int, list[str]]:
    """Return the permitted actions of several escrows by their ids, with at most one SQL statement."""
    open_refunds, undecided = _open_decisions(escrows)
    found = {escrow.pk: _allowed(actor, escrow, open_refunds.get(escrow.pk)) for escrow in escrows}
    # While a decision of the staff waits for a second person, nothing else moves the money.
    return found | {pk: [action for action in found[pk] if action in _MOVES_NOTHING] for pk in undecided}


def _open_decisions(escrows: Sequence[Escrow]) -> tuple[dict[int, RefundState], set[int]]:
    """Return the state of the open refund by escrow id, and the ids of escrows about which an approval is open."""
    holding = [escrow.pk for escrow in escrows if escrow.escrow_state in HOLDING_ESCROWS and escrow.frozen_at is None]
    if not holding:
        return {}, set()
    # An escrow has at most one open refund.
    refunds_open = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[state.value for state in OPEN_REFUNDS]
    )
    rows = Escrow.objects.filter(pk__in=holding).values_list(
        "pk", Subquery(refunds_open.values("state")[:1]), approvals.open_for_outer()
    )
    found = list(rows)
    return {pk: RefundState(state) for pk, state, _ in found if state}, {pk for pk, _, is_open in found if is_open}


def _allowed(actor: Actor, escrow: Escrow, open_refund: RefundState | None) -> list[str]:
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


def _about_refund(actor: Actor, role: Role, state: RefundState) -> list[str]:
    if state is not RefundState.REQUESTED:
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
