"""Release: the escrow is shared between freelancer and platform, once, by somebody's decision or after silence."""

from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import (
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    NotFunded,
    RefundInProgress,
    TaskNotCompleted,
    WrongState,
)
from multitask.payments.escrow import milestones
from multitask.payments.models import Approval, AuditEvent, Escrow, Refund
from multitask.payments.payouts import transfers
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power, Role

AUTO_RELEASE: Final = Actor.system("auto_release")


@database.transactional
def release(
    *, actor: Actor, escrow_id: Identifier, now: datetime, request_key: str = "", note: str = ""
) -> Escrow | Approval:
    """Release what is left to the freelancer: as its client after completion, or as finance staff.

    A large release by staff waits for a second person and answers the approval instead. The same
    `request_key` again answers the released escrow. Raises NotFound, Forbidden, ProofNeeded,
    NotFunded, TaskNotCompleted, WrongState, DisputeOpen, EscrowFrozen or RefundInProgress.
    """
    held = access.locked_escrow(actor, escrow_id)
    is_client = actor.is_user(held.client_id)
    if not is_client:
        _require_staff(actor, held)
    if request_key and held.release_key == f"{actor.user_id}:{request_key}":
        return held
    earlier = None if is_client else approvals.asked(held, request_key)
    if earlier is not None:
        return earlier
    require_releasable(held)
    if is_client and held.milestone.state != MilestoneState.COMPLETED.value:
        raise TaskNotCompleted
    if not is_client:
        if approvals.is_large(held, held.remaining):
            return _ask(held, actor, note, now, request_key)
        approvals.require_none_open(held)
    held.release_key = f"{actor.user_id}:{request_key}" if request_key else ""
    share_out(held, held.remaining, actor=actor, now=now, note=note)
    return held


def _require_staff(actor: Actor, held: Escrow) -> None:
    refusal = Forbidden("Only the task's client or finance staff can release.")
    if access.party(actor, held) is Role.FREELANCER:
        raise refusal
    powers.require(actor, Power.RELEASE, refusal)


def _ask(held: Escrow, actor: Actor, note: str, now: datetime, request_key: str) -> Approval:
    arguments = {"amount_minor": held.remaining.amount_minor, "note": note}
    return approvals.ask(approvals.RELEASE, held, actor=actor, arguments=arguments, now=now, request_key=request_key)


def carry_out(held: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out a large release that a second person approved."""
    require_releasable(held)
    approvals.require_same_amount(arguments["amount_minor"], held.remaining)
    share_out(held, held.remaining, actor=actor, now=now, note=arguments["note"])


def require_releasable(held: Escrow) -> None:
    """Require that the money is there and nothing holds it. Raises the reason why not."""
    if held.state == EscrowState.DISPUTED.value:
        raise DisputeOpen
    if held.frozen_at is not None:
        raise EscrowFrozen
    if held.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded
    if held.state != EscrowState.FUNDED.value:
        raise WrongState(f"This escrow is {held.state} already.")
    if held.refunds.filter(source="escrow", state__in=[s.value for s in OPEN_REFUNDS]).exists():
        raise RefundInProgress


def share_out(held: Escrow, amount: Money, *, actor: Actor, now: datetime, note: str = "") -> None:
    """Give `amount`, less the fee, to the freelancer; the caller holds the lock and has checked everything."""
    require(held.escrow_state, EscrowState.RELEASED)
    split = held.terms.split(amount)
    held.state = EscrowState.RELEASED.value
    held.released_at = now
    held.released_minor = amount.amount_minor
    held.released_fee_minor = split.fee.amount_minor
    held.auto_release_at = None
    if not split.freelancer.amount_minor:
        held.settled_at = now
    held.save()
    milestones.close(held.milestone, MilestoneState.COMPLETED, now)
    history.released(held, split, now)
    audit.record("released", actor=actor, now=now, escrow=held, amount=amount, note=note)
    if split.freelancer.amount_minor:
        transfers.begin(held, split.freelancer, now)
    postings.release(held, split, now)


def due_for_auto_release(*, now: datetime) -> list[int]:
    """Escrows whose client has been silent since delivery for as long as the terms allow: all, the oldest first."""
    asked_back = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[s.value for s in OPEN_REFUNDS]
    )
    undecided = Approval.objects.filter(escrow=OuterRef("pk"), decided_at=None)
    due = Escrow.objects.filter(
        ~Exists(asked_back),
        ~Exists(undecided),
        state=EscrowState.FUNDED.value,
        auto_release_at__lte=now,
        frozen_at=None,
        milestone__state__in=[MilestoneState.DELIVERED.value, MilestoneState.COMPLETED.value],
    )
    return list(due.order_by("auto_release_at").values_list("pk", flat=True))


@database.transactional
def auto_release(*, escrow_id: int, now: datetime) -> bool:
    """Release one escrow because of silence; False when something has changed since it fell due."""
    held = access.lock_by_id(escrow_id)
    if held.auto_release_at is None or held.auto_release_at > now:
        return False
    try:
        require_releasable(held)
        approvals.require_none_open(held)
    except (DisputeOpen, EscrowFrozen, NotFunded, RefundInProgress, WrongState):
        return False
    if held.milestone.state == MilestoneState.DELIVERED.value:
        milestones.advance(held.milestone, MilestoneState.COMPLETED, now)
        audit.record("completed", actor=AUTO_RELEASE, now=now, escrow=held)
    elif held.milestone.state != MilestoneState.COMPLETED.value:
        return False
    silence = f"No answer within {held.auto_release_days} days of delivery"
    share_out(held, held.remaining, actor=AUTO_RELEASE, now=now, note=silence)
    return True


def timeline(held: Escrow) -> list[AuditEvent]:
    """Everything that happened to the escrow, oldest first."""
    events = list(AuditEvent.objects.filter(escrow=held).order_by("pk"))
    for event in events:
        event.escrow = held  # Known already, so that nobody asks for it once per event.
    return events
