"""What happens with money of a payee that was reversed at the provider without a command of ours: staff decides."""

from datetime import datetime
from typing import Any

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit, loss_history
from multitask.payments.errors import EscrowFrozen, Forbidden, NotFound, WrongState
from multitask.payments.escrow import refund_outcomes
from multitask.payments.losses import booking, late_refunds, positions, waterfall
from multitask.payments.models import Approval, Escrow, Refund, Reversal
from multitask.payments.payouts import made_outside, transfers
from multitask.payments.states import ReversalState
from multitask.users import powers
from multitask.users.actor import Actor, Power


@database.transactional
def transfer_again(
    *, actor: Actor, reversal_id: int, now: datetime, note: str = "", request_key: str = ""
) -> Reversal | Approval:
    """Transfer the payee's share again, as finance staff; a large one creates and returns an approval.

    Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    return _decide(actor, reversal_id, "transfer_again", note, now, request_key)


@database.transactional
def refund_client(
    *, actor: Actor, reversal_id: int, now: datetime, note: str = "", request_key: str = ""
) -> Reversal | Approval:
    """Refund the client with what came back and the platform's fee in proportion, as finance staff.

    A large one creates and returns an approval. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    return _decide(actor, reversal_id, "refund_client", note, now, request_key)


def _decide(
    actor: Actor, reversal_id: int, decision: str, note: str, now: datetime, request_key: str
) -> Reversal | Approval:
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff decides about reversals."))
    seen = Reversal.objects.filter(pk=reversal_id).first()
    if seen is None:
        raise NotFound("There is no such reversal.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    reversal = _undecided(reversal_id)
    arguments = {
        "reversal_id": reversal.pk, "decision": decision, "amount_minor": reversal.amount_minor, "note": note
    }  # fmt: skip
    if approvals.is_large(escrow, reversal.amount):
        return approvals.ask(
            approvals.TRANSFER_AGAIN, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    carry_out(escrow, arguments, actor, now)
    reversal.refresh_from_db()
    return reversal


def _undecided(reversal_id: int) -> Reversal:
    reversal = Reversal.objects.select_for_update(no_key=True).get(pk=reversal_id)
    if reversal.is_decided:
        raise WrongState("This reversal is decided already.")
    ours = Reversal.objects.filter(transfer=reversal.transfer_id, state=ReversalState.PENDING.value)
    # It counts in place of ours if ours fails, and is then not the payee's.
    if made_outside.uncovered(reversal).amount_minor and ours.exists():
        raise WrongState("Our own reversal of this transfer is under way: decide when it has ended.")
    return reversal


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out a decision about a reversal, at once or after approval; the caller has locked the escrow."""
    reversal = _undecided(arguments["reversal_id"])
    if escrow.frozen_at is not None:
        raise EscrowFrozen
    reversal.is_decided = True
    reversal.save(update_fields=["is_decided"])
    # A loss that was booked meanwhile may have used what came back.
    back = min(reversal.amount, max(transfers.outstanding(escrow), Money.zero(escrow.currency)))
    held = min(back, _held(escrow))
    event = f"reversal_{arguments['decision']}"
    audit.record(event, actor=actor, now=now, escrow=escrow, amount=back, note=arguments["note"])
    if not back.amount_minor:
        return
    if arguments["decision"] == "transfer_again":
        transfers.begin_again(escrow, back, held=held, now=now)
    else:
        _refund(escrow, back, held, actor, arguments["note"], now)


def _held(escrow: Escrow) -> Money:
    """Return what of the share reversals hold: neither a chargeback nor a transfer that will give it back."""
    others = sum(escrow.chargebacks.values_list("held_minor", flat=True))
    return Money(max(0, escrow.contested_minor - others), escrow.currency) - transfers.to_be_freed(escrow)


def _refund(escrow: Escrow, back: Money, held: Money, actor: Actor, note: str, now: datetime) -> Refund:
    """Refund what came back together with the platform's fee on it."""
    positions.lock_payee(escrow)
    position = positions.of_escrow(escrow, held_minor=held.amount_minor)
    amount = _with_fee(min(back.amount_minor, position.held), position)
    if not amount:
        raise WrongState("Nothing of this can be refunded any more: transfer it again.")
    refund = late_refunds.create(
        escrow, Money(amount, escrow.currency), actor=actor, reason="reversed_at_provider", note=note, now=now
    )
    loss = booking.execute(
        escrow,
        waterfall.share_out(amount, position),
        position,
        held=held,
        chargeback=None,
        refund=refund,
        actor=actor,
        now=now,
        back_minor=held.amount_minor,
    )
    loss_history.share_returned(escrow, refund, loss, now)
    refund_outcomes.begin_call(escrow, refund, now)
    return refund


def _with_fee(payee_minor: int, position: waterfall.Position) -> int:
    """Return the gross amount of which the payee bears this much, in minor units."""
    net = position.released - position.fee
    if not net:
        return 0
    gross = payee_minor * position.released // net
    while gross < position.released and waterfall.share_out(gross, position).payee < payee_minor:
        gross += 1
    return gross
