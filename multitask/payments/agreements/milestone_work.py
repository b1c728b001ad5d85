"""The steps of the work on a milestone, and their effect on its escrow.

While a bank contests the payment nobody starts, delivers or confirms work: whether it will be paid is not known. It
may be called off, which moves no money.
"""

from datetime import datetime, timedelta

from multitask import database, ledger
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit, postings
from multitask.payments.errors import EscrowFrozen, Forbidden, NotFunded, WorkStateConflict, WrongState
from multitask.payments.escrow import milestone_states, releases
from multitask.payments.funding import cancellations
from multitask.payments.models import Escrow, Milestone
from multitask.payments.states import HOLDING_ESCROWS, NOT_STARTED, EscrowState, MilestoneState, may
from multitask.users import powers
from multitask.users.actor import STAFF_ROLES, Actor, Power


@database.transactional
def start(*, actor: Actor, milestone_id: int, now: datetime) -> Milestone:
    """Start the work, as the payee. Raises NotFound, Forbidden, WorkStateConflict, WrongState or EscrowFrozen."""
    milestone = locks.locked_milestone(actor, milestone_id)
    _require_payee(actor, milestone)
    _require_step(milestone, MilestoneState.STARTED)
    escrow = _uncontested(milestone)
    if escrow is not None:
        _require_pay(escrow)
    _step(milestone, MilestoneState.STARTED, now)
    if escrow is not None:
        audit.record("started", actor=actor, now=now, escrow=escrow)
    return milestone


@database.transactional
def deliver(*, actor: Actor, milestone_id: int, now: datetime) -> Milestone:
    """Deliver the work, as the payee; the auto-release period begins.

    Raises NotFound, Forbidden, NotFunded, WrongState, EscrowFrozen or WorkStateConflict.
    """
    milestone = locks.locked_milestone(actor, milestone_id)
    _require_payee(actor, milestone)
    if milestone.milestone_state not in {MilestoneState.AGREED, MilestoneState.FUNDED, MilestoneState.STARTED}:
        raise _conflict(milestone, MilestoneState.DELIVERED)
    escrow = _uncontested(milestone)
    if escrow is None or escrow.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded("The task has to be funded before it is delivered.")
    if escrow.state == EscrowState.REFUNDED.value:
        raise WrongState("The money for this task went back to the client, so nothing would pay for a delivery.")
    _require_pay(escrow)
    _step(milestone, MilestoneState.DELIVERED, now)
    if escrow.state == EscrowState.FUNDED.value:
        escrow.auto_release_at = now + timedelta(days=escrow.auto_release_days)
        escrow.save(update_fields=["auto_release_at"])
    audit.record("delivered", actor=actor, now=now, escrow=escrow)
    return milestone


@database.transactional
def complete(*, actor: Actor, milestone_id: int, now: datetime) -> Milestone:
    """Confirm delivered work, as the payer. No money moves: the release is a separate command.

    Raises NotFound, Forbidden, WorkStateConflict or EscrowFrozen.
    """
    milestone = locks.locked_milestone(actor, milestone_id)
    if not actor.is_user(milestone.agreement.payer_id):
        raise Forbidden("Only the client can confirm completion.")
    if milestone.milestone_state is not MilestoneState.DELIVERED:
        raise _conflict(milestone, MilestoneState.COMPLETED)
    escrow = _uncontested(milestone)
    _step(milestone, MilestoneState.COMPLETED, now)
    if escrow is not None:
        audit.record("completed", actor=actor, now=now, escrow=escrow)
    return milestone


@database.transactional
def complete_and_release(*, actor: Actor, escrow_id: Identifier, now: datetime) -> None:
    """Confirm delivered work and release its money in one transaction, as the payer.

    Work that the payer has confirmed before is not confirmed again. Raises NotFound, Forbidden, WorkStateConflict and
    what a release raises.
    """
    escrow = locks.locked_escrow(actor, escrow_id)
    access.require_client(actor, escrow, "Only the client can confirm completion.")
    if escrow.milestone.milestone_state is MilestoneState.DELIVERED:
        complete(actor=actor, milestone_id=escrow.milestone_id, now=now)
    releases.release(actor=actor, escrow_id=escrow.pk, now=now)


@database.transactional
def cancel(*, actor: Actor, milestone_id: int, now: datetime) -> Milestone:
    """Cancel a milestone. An unpaid escrow is cancelled with it; a funded one stays until it is refunded.

    The payer may cancel until the work has started, the payee and staff until it is completed. Staff cannot cancel
    a milestone with a large amount in escrow: the payer could then refund all of it without a second approver.
    Raises NotFound, Forbidden, ProofNeeded, WorkStateConflict or WrongState.
    """
    milestone = locks.locked_milestone(actor, milestone_id)
    agreement = milestone.agreement
    is_payer, is_payee = actor.is_user(agreement.payer_id), actor.is_user(agreement.payee_id)
    if not (is_payer or is_payee):
        powers.require(actor, Power.CANCEL_TASK, Forbidden("Only the two sides and staff can cancel it."))
    if is_payer and milestone.milestone_state not in NOT_STARTED:
        raise _conflict(milestone, MilestoneState.CANCELLED)
    _step(milestone, MilestoneState.CANCELLED, now)
    escrow = locks.lock_by_milestone(milestone.pk)
    if escrow is None:
        return milestone
    if access.party(actor, escrow) in STAFF_ROLES and escrow.escrow_state in HOLDING_ESCROWS:
        _require_small(escrow)
    audit.record("task_cancelled", actor=actor, now=now, escrow=escrow)
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        cancellations.cancel_unpaid(escrow, actor=actor, now=now)
    elif escrow.state == EscrowState.FUNDED.value:
        escrow.auto_release_at = None
        escrow.save(update_fields=["auto_release_at"])
    return milestone


def _require_payee(actor: Actor, milestone: Milestone) -> None:
    if not actor.is_user(milestone.agreement.payee_id):
        raise Forbidden("Only the freelancer can do this.")


def _uncontested(milestone: Milestone) -> Escrow | None:
    """Lock and return the milestone's escrow, None if there is none. Raises EscrowFrozen."""
    escrow = locks.lock_by_milestone(milestone.pk)
    if escrow is not None and escrow.frozen_at is not None:
        raise EscrowFrozen
    return escrow


def is_going_back(escrow: Escrow) -> bool:
    """Return whether all that is in a funded escrow is on its way back to the client. One statement."""
    in_escrow = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency)
    return escrow.state == EscrowState.FUNDED.value and not in_escrow.amount_minor


def _require_pay(escrow: Escrow) -> None:
    """Require that not everything is on its way back. Raises WrongState.

    Should such a refund fail, the client must still be able to take the money back at once.
    """
    if is_going_back(escrow):
        raise WrongState("All of the money is on its way back to the client, so nothing would pay for the work.")


def _require_step(milestone: Milestone, state: MilestoneState) -> None:
    if not may(milestone.milestone_state, state):
        raise _conflict(milestone, state)


def _step(milestone: Milestone, state: MilestoneState, now: datetime) -> None:
    _require_step(milestone, state)
    milestone_states.advance(milestone, state, now)


def _conflict(milestone: Milestone, wanted: MilestoneState) -> WorkStateConflict:
    return WorkStateConflict(f"This is {milestone.state}, so it cannot become {wanted.value}.")


def _require_small(escrow: Escrow) -> None:
    if approvals.is_large(escrow, escrow.remaining):
        raise WrongState(f"{escrow.remaining} are in escrow: refund them first, which a second person approves.")
    approvals.require_none_open(escrow)
