"""Releases: an escrow is divided between freelancer and platform, once, by a decision or after silence."""

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from multitask import database
from multitask.database import Statement
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit, history, postings, receivables
from multitask.payments.errors import (
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    NotFunded,
    RefundInProgress,
    TaskNotCompleted,
    WrongState,
)
from multitask.payments.escrow import milestone_states, release_records
from multitask.payments.escrow.release_records import Release
from multitask.payments.models import Approval, AuditEvent, Escrow
from multitask.payments.operations import queue
from multitask.payments.payouts import transfers
from multitask.payments.states import EscrowState, MilestoneState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power, Role

_GUARDS: Final = "payments_release_guards"
_READ_GUARDS: Final = Statement(f"SELECT * FROM {_GUARDS}(%(escrow)s)")  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Guards:
    """What decides about a release besides the escrow's own row, in the order of `payments_release_guards`."""

    is_asked_back: bool
    is_undecided: bool
    owes: bool


@database.transactional
def release(
    *, actor: Actor, escrow_id: Identifier, now: datetime, request_key: str = "", note: str = ""
) -> Escrow | Approval:
    """Release what is left in escrow, as the client after completion or as finance staff.

    A large release by staff creates and returns an approval instead. A repeated `request_key` returns the escrow as
    it was released. Raises NotFound, Forbidden, ProofNeeded, NotFunded, TaskNotCompleted, WrongState, DisputeOpen,
    EscrowFrozen or RefundInProgress.
    """
    escrow, answer = locks.locked_escrow_with(actor, escrow_id, function=_GUARDS)
    is_client = actor.is_user(escrow.client_id)
    if not is_client:
        _require_staff(actor, escrow)
    if request_key and escrow.release_key == f"{actor.user_id}:{request_key}":
        return escrow
    earlier = None if is_client else approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    owes = require_releasable(escrow, Guards(*answer))
    if is_client and escrow.milestone.state != MilestoneState.COMPLETED.value:
        raise TaskNotCompleted
    if not is_client and approvals.is_large(escrow, escrow.remaining):
        return _ask(escrow, actor, note, now, request_key)
    escrow.release_key = f"{actor.user_id}:{request_key}" if request_key else ""
    release_amount(escrow, escrow.remaining, actor=actor, now=now, note=note, owes=owes)
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
    owes = require_releasable(escrow)
    approvals.require_same_amount(arguments["amount_minor"], escrow.remaining)
    release_amount(escrow, escrow.remaining, actor=actor, now=now, note=arguments["note"], owes=owes)


def require_releasable(escrow: Escrow, guards: Guards | None = None) -> bool:
    """Require that the escrow is funded and nothing blocks its release; return whether its payee owes anything.

    The guards are read unless they are given. Raises DisputeOpen, EscrowFrozen, NotFunded, WrongState or
    RefundInProgress.
    """
    if escrow.state == EscrowState.DISPUTED.value:
        raise DisputeOpen
    if escrow.frozen_at is not None:
        raise EscrowFrozen
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded
    if escrow.state != EscrowState.FUNDED.value:
        raise WrongState(f"This escrow is {escrow.state} already.")
    guards = guards or _guards(escrow)
    if guards.is_asked_back:
        raise RefundInProgress
    if guards.is_undecided:
        raise approvals.undecided()
    return guards.owes


def _guards(escrow: Escrow) -> Guards:
    (answer,) = _READ_GUARDS.rows({"escrow": escrow.pk})
    return Guards(*answer)


def release_amount(
    escrow: Escrow, amount: Money, *, actor: Actor, now: datetime, note: str = "", owes: bool = True
) -> None:
    """Release `amount`: the fee to the platform, the rest to the freelancer, less what they owe.

    `owes` is false if it is known that they owe nothing. The caller holds the lock and has checked that the escrow may
    be released.
    """
    release_records.write(decide(escrow, amount, actor=actor, now=now, note=note, owes=owes))


def decide(escrow: Escrow, amount: Money, *, actor: Actor, now: datetime, note: str, owes: bool) -> Release:
    """Return the release of `amount`, for `release_records` to write, as `release_amount` does.

    The milestone is completed at once, and the share on a platform route gets its job.
    """
    require(escrow.escrow_state, EscrowState.RELEASED)
    split = escrow.terms.split(amount)
    netted = receivables.net(escrow.freelancer_id, split.freelancer) if owes else Money.zero(amount.currency)
    escrow.state = EscrowState.RELEASED.value
    escrow.released_at = now
    escrow.released_minor = amount.amount_minor
    escrow.released_fee_minor = split.fee.amount_minor
    escrow.netted_minor = netted.amount_minor
    escrow.auto_release_at = None
    share = escrow.payee_share
    if not share.amount_minor:
        escrow.made_available_at = now
    milestone_states.close(escrow.milestone, MilestoneState.COMPLETED, now)
    events = [audit.values("released", actor=actor, escrow=escrow, amount=amount, note=note)]
    if netted.amount_minor:
        events.append(audit.values("receivable_netted", actor=actor, escrow=escrow, amount=netted))
    is_transferred = bool(share.amount_minor) and not escrow.is_on_platform
    transfer = transfers.first(escrow, share, now) if is_transferred else None
    if share.amount_minor and escrow.is_on_platform:
        queue.defer(queue.MAKE_AVAILABLE, escrow_id=escrow.pk)
    posting = postings.release(escrow, split, netted, now)
    return Release(escrow, history.release_rows(escrow, split, now), events, transfer, posting)


def timeline(escrow: Escrow) -> list[AuditEvent]:
    """Return the audit events of the escrow, oldest first; of one that was just released without a statement."""
    events = sorted(escrow.audit_events.all(), key=attrgetter("pk"))
    for event in events:
        event.escrow = escrow  # Avoids one query per event.
    return events
