"""The actions that an actor may take on an escrow now, by the same rules that the commands enforce."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from multitask.payments.authorization import access, approvals
from multitask.payments.escrow import inquiries, refunds
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import HOLDING_ESCROWS, OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.actor import Actor, Power, Role

_MOVES_NOTHING = frozenset({"complete", "dispute", "request_refund", "withdraw_refund"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDecisions:
    """What is open about an escrow: the state of a refund, an approval, and a chargeback that may keep the money."""

    refund: RefundState | None = None
    is_undecided: bool = False
    is_contested: bool = False


def allowed(actor: Actor, escrow: Escrow) -> list[str]:
    """Return the names of the actions that would be accepted now, in the order in which pages show them."""
    return allowed_each(actor, [escrow])[escrow.pk]


def allowed_each(actor: Actor, escrows: Sequence[Escrow]) -> dict[int, list[str]]:
    """Return the permitted actions of several escrows by their ids, with at most one SQL statement."""
    known = _open_decisions([escrow.pk for escrow in escrows if _may_move(actor, escrow)])
    return {escrow.pk: allowed_knowing(actor, escrow, known.get(escrow.pk, OpenDecisions())) for escrow in escrows}


def allowed_knowing(actor: Actor, escrow: Escrow, known: OpenDecisions) -> list[str]:
    """Return the permitted actions of an escrow about which this is open. No statement."""
    if not _may_move(actor, escrow):
        return _allowed(actor, escrow, None, is_inquired=False)
    is_inquired = escrow.frozen_at is not None and not known.is_contested
    found = _allowed(actor, escrow, known.refund, is_inquired=is_inquired)
    # While a decision of the staff waits for a second person, nothing else moves the money.
    return [action for action in found if action in _MOVES_NOTHING] if known.is_undecided else found


def _open_decisions(escrow_ids: Sequence[int]) -> dict[int, OpenDecisions]:
    """Return what is open about escrows by their ids. One statement, none without escrows."""
    if not escrow_ids:
        return {}
    # An escrow has at most one open refund.
    refunds_open = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[state.value for state in OPEN_REFUNDS]
    )
    rows = Escrow.objects.filter(pk__in=escrow_ids).values_list(
        "pk", Subquery(refunds_open.values("state")[:1]), approvals.open_for_outer(), inquiries.contested_for_outer()
    )
    return {
        pk: OpenDecisions(
            refund=RefundState(state) if state else None, is_undecided=is_undecided, is_contested=is_contested
        )
        for pk, state, is_undecided, is_contested in rows
    }


def _may_refund_released(actor: Actor, escrow: Escrow) -> bool:
    """Return whether the actor may refund what was released, as its payee or as staff, unless a bank contests it."""
    if escrow.state != EscrowState.RELEASED.value or escrow.returned_minor >= escrow.released_minor:
        return False
    role = access.party(actor, escrow)
    if role is Role.FREELANCER:
        return escrow.frozen_at is None
    return role is not Role.CLIENT and actor.may(Power.REFUND)


def _may_move(actor: Actor, escrow: Escrow) -> bool:
    """Return whether anything might be allowed, so that what is open about the escrow has to be read."""
    if _may_refund_released(actor, escrow):
        return True
    if escrow.frozen_at is None:
        return escrow.escrow_state in HOLDING_ESCROWS
    return escrow.state == EscrowState.FUNDED.value and actor.may(Power.REFUND)


def _allowed(actor: Actor, escrow: Escrow, open_refund: RefundState | None, *, is_inquired: bool) -> list[str]:
    role = access.party(actor, escrow)
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        return ["pay"] if role is Role.CLIENT else []
    if escrow.frozen_at is not None:
        return _answering_inquiry(actor, escrow, open_refund) if is_inquired else []
    if escrow.state == EscrowState.DISPUTED.value:
        is_party = role in {Role.CLIENT, Role.FREELANCER}
        return ["settle"] if actor.may(Power.SETTLE_DISPUTE) and not is_party else []
    if _may_refund_released(actor, escrow):
        return ["refund_released"]
    if escrow.state != EscrowState.FUNDED.value:
        return []
    if open_refund is not None:
        return _about_refund(actor, role, open_refund)
    return _about_money(actor, role, escrow)


def _answering_inquiry(actor: Actor, escrow: Escrow, open_refund: RefundState | None) -> list[str]:
    """Return how the actor may answer an inquiry that alone freezes the escrow: the staff by a refund."""
    if _may_refund_released(actor, escrow):
        return ["refund_released"]
    is_neutral = access.party(actor, escrow) not in {Role.CLIENT, Role.FREELANCER}
    return ["refund"] if is_neutral and escrow.state == EscrowState.FUNDED.value and open_refund is None else []


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
