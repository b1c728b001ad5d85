"""Disputes between the two sides: the money stays in escrow until finance staff settles the dispute with a split."""

from datetime import datetime
from typing import Any

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit
from multitask.payments.errors import (
    AmountMismatch,
    EscrowFrozen,
    Forbidden,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import refund_outcomes, refund_ways, releases
from multitask.payments.models import Approval, Dispute, Escrow, Refund
from multitask.payments.operations import amounts
from multitask.payments.states import (
    OPEN_REFUNDS,
    DisputeState,
    EscrowState,
    PaymentState,
    RefundState,
    require,
)
from multitask.users import powers
from multitask.users.actor import Actor, Power, Role


@database.transactional
def open_dispute(*, actor: Actor, escrow_id: Identifier, reason: str, now: datetime, request_key: str = "") -> Dispute:
    """Open a dispute, as client or freelancer.

    Raises NotFound, Forbidden, NotFunded, WrongState, EscrowFrozen or RefundInProgress.
    """
    escrow = locks.locked_escrow(actor, escrow_id)
    if access.party(actor, escrow) not in {Role.CLIENT, Role.FREELANCER}:
        raise Forbidden("Only the client or the freelancer can open a dispute.")
    earlier = escrow.disputes.filter(open_key=request_key).first() if request_key else None
    if earlier is not None:
        return earlier
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded
    if escrow.state != EscrowState.FUNDED.value:
        raise WrongState(f"This escrow is {escrow.state}; a dispute cannot be opened.")
    if escrow.frozen_at is not None:
        # The bank decides first; what is left of the money may be disputed afterwards.
        raise EscrowFrozen
    if escrow.refunds.filter(source="escrow", state__in=[s.value for s in OPEN_REFUNDS]).exists():
        raise RefundInProgress
    return open_for(escrow, actor=actor, reason=reason, refund=None, now=now, request_key=request_key)


def open_for(
    escrow: Escrow, *, actor: Actor, reason: str, refund: Refund | None, now: datetime, request_key: str = ""
) -> Dispute:
    """Open a dispute without checks; the caller has locked the escrow."""
    require(escrow.escrow_state, EscrowState.DISPUTED)
    escrow.state = EscrowState.DISPUTED.value
    escrow.disputed_at, escrow.dispute_reason = now, reason
    escrow.save(update_fields=["state", "disputed_at", "dispute_reason"])
    audit.record("dispute_opened", actor=actor, now=now, escrow=escrow, note=reason)
    return Dispute.objects.create(
        escrow=escrow, refund=refund, opened_by_id=actor.user_id, reason=reason, opened_at=now, open_key=request_key
    )


@database.transactional
def settle(
    *,
    actor: Actor,
    dispute_id: Identifier,
    client_amount: Money,
    freelancer_amount: Money,
    note: str = "",
    now: datetime,
    request_key: str = "",
) -> Dispute | Approval:
    """Divide what is in escrow between the two sides, as finance staff.

    `freelancer_amount` is gross: the fee is taken from it. A large settlement creates and returns an approval. Raises
    NotFound, Forbidden, ProofNeeded, WrongState, EscrowFrozen, AmountMismatch, AmountTooPrecise or RefundTooSmall.
    """
    seen = access.dispute(actor, dispute_id)
    powers.require(actor, Power.SETTLE_DISPUTE, Forbidden("Only finance staff settles disputes."))
    escrow = locks.locked_escrow(actor, seen.escrow_id)
    if access.party(actor, escrow) in {Role.CLIENT, Role.FREELANCER}:
        raise Forbidden("You cannot settle a dispute about your own money.")
    dispute = Dispute.objects.get(pk=seen.pk)
    if request_key and dispute.settle_key == request_key:
        return dispute
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    _require_settleable(escrow, dispute, client_amount, freelancer_amount)
    arguments = {
        "dispute_id": dispute.pk,
        "client_minor": client_amount.amount_minor,
        "freelancer_minor": freelancer_amount.amount_minor,
        "note": note,
        "request_key": request_key,
    }
    if approvals.is_large(escrow, escrow.remaining):
        return approvals.ask(
            approvals.SETTLE, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    carry_out(escrow, arguments, actor, now)
    dispute.refresh_from_db()
    return dispute


def _require_settleable(escrow: Escrow, dispute: Dispute, client_amount: Money, freelancer_amount: Money) -> None:
    if dispute.state != DisputeState.OPEN.value:
        raise WrongState("This dispute is settled already.")
    if escrow.frozen_at is not None:
        raise EscrowFrozen
    both = (client_amount, freelancer_amount)
    if any(a.currency != escrow.currency or a.amount_minor < 0 for a in both):
        raise AmountMismatch
    if client_amount + freelancer_amount != escrow.remaining:
        raise AmountMismatch(f"The two amounts have to add up to {escrow.remaining}.")
    amounts.require_movable(escrow, client_amount)
    refund_ways.require_possible(escrow, client_amount)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Settle a dispute, at once or after a second person approved it; the caller has locked the escrow."""
    dispute = Dispute.objects.select_for_update(no_key=True).get(pk=arguments["dispute_id"])
    to_client = Money(arguments["client_minor"], escrow.currency)
    to_freelancer = Money(arguments["freelancer_minor"], escrow.currency)
    _require_settleable(escrow, dispute, to_client, to_freelancer)
    dispute.state = DisputeState.SETTLED.value
    dispute.settled_by_id, dispute.settled_at = actor.user_id, now
    dispute.client_minor, dispute.freelancer_minor = (
        to_client.amount_minor,
        to_freelancer.amount_minor,
    )
    dispute.settlement_note = arguments["note"]
    dispute.settle_key = arguments["request_key"]
    dispute.save()
    audit.record(
        "dispute_settled", actor=actor, now=now, escrow=escrow, amount=escrow.remaining, note=dispute.settlement_note
    )
    _carry_out(escrow, to_client, to_freelancer, actor, now)


def _carry_out(escrow: Escrow, to_client: Money, to_freelancer: Money, actor: Actor, now: datetime) -> None:
    if to_client.amount_minor:
        refund = Refund.objects.create(
            escrow=escrow,
            payment=escrow.payments.get(state=PaymentState.SUCCEEDED.value),
            provider=escrow.provider,
            amount_minor=to_client.amount_minor,
            currency=to_client.currency,
            state=RefundState.PENDING.value,
            reason="dispute_settled",
            requested_by_id=actor.user_id,
            decided_by_id=actor.user_id,
            created_at=now,
            decided_at=now,
        )
        refund_outcomes.send(escrow, refund, now)
    if to_freelancer.amount_minor:
        releases.release_amount(escrow, to_freelancer, actor=actor, now=now)
    else:
        # Everything is refunded: the escrow is funded again until the provider confirms the refund.
        require(escrow.escrow_state, EscrowState.FUNDED)
        escrow.state = EscrowState.FUNDED.value
        escrow.save(update_fields=["state"])


def end(escrow: Escrow, now: datetime) -> None:
    """End the open dispute of an escrow of which nothing is left to divide; the caller holds the lock."""
    open_ones = Dispute.objects.filter(escrow=escrow, state=DisputeState.OPEN.value)
    open_ones.update(state=DisputeState.SETTLED.value, settled_at=now, client_minor=0, freelancer_minor=0)


def reopen(escrow: Escrow, now: datetime) -> None:
    """Reopen the dispute that a loss of the escrow ended, if there is one; the caller holds the lock and has the money.

    Such a dispute ended in the command that booked the loss, and nobody settled it.
    """
    by_losses = escrow.disputes.filter(settled_by=None, settled_at__in=escrow.losses.values("booked_at"))
    ended = by_losses.filter(state=DisputeState.SETTLED.value).order_by("-pk").first()
    if ended is None:
        return
    require(DisputeState.SETTLED, DisputeState.OPEN)
    require(escrow.escrow_state, EscrowState.DISPUTED)
    ended.state, ended.settled_at = DisputeState.OPEN.value, None
    ended.client_minor, ended.freelancer_minor = None, None
    ended.save()
    escrow.state = EscrowState.DISPUTED.value
    audit.record("dispute_opened", actor=Actor.system("provider"), now=now, escrow=escrow, note=ended.reason)
