"""Releases: an escrow is divided between freelancer and platform, once, by a decision or after silence."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
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
from multitask.payments.escrow import milestone_states
from multitask.payments.models import Approval, AuditEvent, Escrow, Refund
from multitask.payments.payouts import transfers
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power, Role


@database.transactional
def release(
    *, actor: Actor, escrow_id: Identifier, now: datetime, request_key: str = "", note: str = ""
) -> Escrow | Approval:
    """Release what is left in escrow, as the client after completion or as finance staff.

    A large release by staff creates and returns an approval instead. A repeated `request_key` returns the escrow as
    it was released. Raises NotFound, Forbidden, ProofNeeded, NotFunded, TaskNotCompleted, WrongState, DisputeOpen,
    EscrowFrozen or RefundInProgress.
    """
    escrow = locks.locked_escrow(actor, escrow_id)
    is_client = actor.is_user(escrow.client_id)
    if not is_client:
        _require_staff(actor, escrow)
    if request_key and escrow.release_key == f"{actor.user_id}:{request_key}":
        return escrow
    earlier = None if is_client else approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    require_releasable(escrow)
    if is_client and escrow.milestone.state != MilestoneState.COMPLETED.value:
        raise TaskNotCompleted
    if not is_client and approvals.is_large(escrow, escrow.remaining):
        return _ask(escrow, actor, note, now, request_key)
    escrow.release_key = f"{actor.user_id}:{request_key}" if request_key else ""
    release_amount(escrow, escrow.remaining, actor=actor, now=now, note=note)
    return escrow


def _require_staff(actor: Actor, escrow: Escrow) -> None:
    refusal = Forbidden("Only the task's client or finance staff can release.")
    if access.party(actor, escrow) is Role.FREELANCER:
        raise refusal
    powers.require(actor, Power.RELEASE, refusal)


def _ask(escrow: Escrow, actor: Actor, note: str, now: datetime, request_key: str) -> Approval:
    arguments = {"amount_minor": escrow.remaining.amount_minor, "note": note}
    return approvals.ask(approvals.RELEASE, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved release."""
    require_releasable(escrow)
    approvals.require_same_amount(arguments["amount_minor"], escrow.remaining)
    release_amount(escrow, escrow.remaining, actor=actor, now=now, note=arguments["note"])


def require_releasable(escrow: Escrow) -> None:
    """Require that the escrow is funded and nothing blocks its release.

    Raises DisputeOpen, EscrowFrozen, NotFunded, WrongState or RefundInProgress.
    """
    if escrow.state == EscrowState.DISPUTED.value:
        raise DisputeOpen
    if escrow.frozen_at is not None:
        raise EscrowFrozen
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded
    if escrow.state != EscrowState.FUNDED.value:
        raise WrongState(f"This escrow is {escrow.state} already.")
    open_refunds = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[s.value for s in OPEN_REFUNDS]
    )
    blocking = Escrow.objects.annotate(is_asked_back=Exists(open_refunds), is_undecided=approvals.open_for_outer())
    is_asked_back, is_undecided = blocking.values_list("is_asked_back", "is_undecided").get(pk=escrow.pk)
    if is_asked_back:
        raise RefundInProgress
    if is_undecided:
        raise approvals.undecided()


def release_amount(escrow: Escrow, amount: Money, *, actor: Actor, now: datetime, note: str = "") -> None:
    """Release `amount`: the fee to the platform, the rest to the freelancer.

    The caller holds the lock and has checked that the escrow may be released.
    """
    require(escrow.escrow_state, EscrowState.RELEASED)
    split = escrow.terms.split(amount)
    escrow.state = EscrowState.RELEASED.value
    escrow.released_at = now
    escrow.released_minor = amount.amount_minor
    escrow.released_fee_minor = split.fee.amount_minor
    escrow.auto_release_at = None
    if not split.freelancer.amount_minor:
        escrow.made_available_at = now
    escrow.save()
    milestone_states.close(escrow.milestone, MilestoneState.COMPLETED, now)
    history.released(escrow, split, now)
    audit.record("released", actor=actor, now=now, escrow=escrow, amount=amount, note=note)
    if split.freelancer.amount_minor:
        transfers.begin(escrow, split.freelancer, now)
    postings.release(escrow, split, now)


def timeline(escrow: Escrow) -> list[AuditEvent]:
    """Return the audit events of the escrow, oldest first."""
    events = list(AuditEvent.objects.filter(escrow=escrow).order_by("pk"))
    for event in events:
        event.escrow = escrow  # Avoids one query per event.
    return events
