"""Booking losses: the waterfall decides who bears what, and finance executes it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit, loss_history, loss_postings
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.escrow import disputes, milestone_states, refund_outcomes, unapplied
from multitask.payments.losses import holds, positions, unapplied_losses, waterfall
from multitask.payments.losses.waterfall import Position, Shares
from multitask.payments.models import (
    Approval,
    Chargeback,
    Escrow,
    Loss,
    Payment,
    Receivable,
    Refund,
)
from multitask.payments.payouts import reversals
from multitask.payments.provider import ChargebackStatus
from multitask.payments.states import (
    HOLDING_ESCROWS,
    EscrowState,
    MilestoneState,
    require,
)
from multitask.users import powers
from multitask.users.actor import Actor, Power

_SYSTEM: Final = Actor.system("provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The payee's part of a loss that was undone and is booked anew, in minor units.

    `to_transfer` is held until it is transferred again. `given_up` is held too: its reversal was given up, so it is not
    there to be taken back. `others` is the whole part without that.
    """

    to_transfer: int = 0
    given_up: int = 0
    others: int = 0


def preview(chargeback: Chargeback) -> Shares:
    """Return who would bear what if the loss of a chargeback were booked now."""
    position = positions.of_chargeback(chargeback.escrow, chargeback)
    return _divided(chargeback, chargeback.taken_minor or _expected_minor(chargeback), position)


def _expected_minor(chargeback: Chargeback) -> int:
    """Return what the bank would take at the rate at which the payment was converted, if it was."""
    if chargeback.taken.currency == chargeback.currency:
        return chargeback.amount_minor
    return unapplied.share(chargeback.payment, chargeback.amount).amount_minor


def _divided(chargeback: Chargeback, loss_minor: int, position: Position) -> Shares:
    if positions.is_in_escrow(chargeback.payment):
        return waterfall.share_out(loss_minor, position)
    return unapplied_losses.share_out(loss_minor, chargeback.payment, chargeback.amount)


@database.transactional
def book(*, actor: Actor, chargeback_id: int, now: datetime, note: str = "", request_key: str = "") -> Loss | Approval:
    """Book the loss of a lost chargeback, as finance staff; a large one creates and returns an approval.

    A repeated call returns the loss that is booked. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff books losses."))
    seen = Chargeback.objects.filter(pk=chargeback_id).first()
    if seen is None:
        raise NotFound("There is no such chargeback.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    booked = Loss.objects.filter(chargeback=seen, reversed_at=None).first()
    if booked is not None:
        return booked
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    chargeback = _bookable(escrow, chargeback_id)
    if approvals.is_large(escrow, chargeback.taken):
        arguments = {"chargeback_id": chargeback.pk, "amount_minor": chargeback.taken_minor, "note": note}
        arguments["currency"] = chargeback.taken.currency
        return approvals.ask(
            approvals.BOOK_LOSS, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    return _book(escrow, chargeback, actor, note, now)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Book an approved loss; the caller has locked the escrow."""
    chargeback = _bookable(escrow, arguments["chargeback_id"])
    approvals.require_same_amount(arguments["amount_minor"], chargeback.taken)
    _book(escrow, chargeback, actor, arguments["note"], now)


def is_booked(chargeback: Chargeback) -> bool:
    """Return whether the loss of a chargeback is booked."""
    return Loss.objects.filter(chargeback=chargeback, reversed_at=None).exists()


def _bookable(escrow: Escrow, chargeback_id: int) -> Chargeback:
    rows = Chargeback.objects.select_for_update(no_key=True, of=("self",)).select_related("payment")
    chargeback = rows.get(pk=chargeback_id, escrow=escrow)
    chargeback.escrow = escrow
    if chargeback.status != ChargebackStatus.LOST.value:
        raise WrongState("This chargeback is not lost.")
    # It may fail, and its money then bears the loss.
    is_concerned = Q(source__in=["escrow", "released"]) | Q(source="unapplied", payment=chargeback.payment)
    if escrow.refunds.filter(is_concerned, state="pending").exists():
        raise WrongState("A refund of this escrow or payment is under way: book the loss when it has ended.")
    if chargeback.taken_minor <= 0:
        raise WrongState("The bank has not taken the money of this chargeback yet.")
    if is_booked(chargeback):
        raise WrongState("This loss is booked already.")
    return chargeback


def _book(escrow: Escrow, chargeback: Chargeback, actor: Actor, note: str, now: datetime) -> Loss:
    loss, _given_up = _lose(escrow, chargeback, Undone(), actor=actor, now=now)
    audit.record("loss_booked", actor=actor, now=now, escrow=escrow, amount=loss.amount, note=note, details=borne(loss))
    loss_history.chargeback_lost(escrow, chargeback, loss, now)
    holds.freeze_or_unfreeze(escrow, now)
    return loss


def book_kept(escrow: Escrow, chargeback: Chargeback, undone: Undone, now: datetime) -> tuple[Loss, Money]:
    """Book what the bank keeps of a loss that was booked before and undone; the caller holds the escrow's lock.

    Return also how much of what was given up bears the new loss.
    """
    loss, given_up = _lose(escrow, chargeback, undone, actor=_SYSTEM, now=now)
    audit.record("loss_booked", actor=_SYSTEM, now=now, escrow=escrow, amount=loss.amount, details=borne(loss))
    loss_history.chargeback_lost(escrow, chargeback, loss, now)
    return loss, Money(given_up, escrow.currency)


def _lose(escrow: Escrow, chargeback: Chargeback, undone: Undone, *, actor: Actor, now: datetime) -> tuple[Loss, int]:
    positions.lock_payee(escrow)
    position = positions.of_chargeback(escrow, chargeback)
    there = position.held + undone.to_transfer
    position = replace(position, held=there + undone.given_up)
    shares = _divided(chargeback, chargeback.taken_minor, position)
    back = holds.use_reversed(escrow, shares.payee)
    left = shares.payee - back
    # What was given up bears last, so it gets back first.
    given_up = min(undone.given_up, left - min(left, undone.others, there - back))
    waiting = min(undone.to_transfer, left - given_up)
    still = given_up + waiting
    held = Money(chargeback.held_minor + back + still, chargeback.taken.currency)
    chargeback.held_minor = 0
    chargeback.save(update_fields=["held_minor"])
    loss = execute(
        escrow,
        shares,
        position,
        held=held,
        chargeback=chargeback,
        refund=None,
        actor=actor,
        now=now,
        back_minor=back + given_up,
        waiting_minor=waiting,
    )
    return loss, given_up


def borne(loss: Loss) -> dict[str, str | int]:
    """Return who bore how much, in minor units, for the audit trail and the notices."""
    names = ("escrow_minor", "payee_minor", "fee_minor", "receivable_minor", "platform_minor")
    return {name: getattr(loss, name) for name in names}


def execute(
    escrow: Escrow,
    shares: Shares,
    position: Position,
    *,
    held: Money,
    chargeback: Chargeback | None,
    refund: Refund | None,
    actor: Actor,
    now: datetime,
    back_minor: int = 0,
    waiting_minor: int = 0,
) -> Loss:
    """Post a loss as the waterfall divided it, and bring the payee's part back from their account at the provider.

    `held`, in the currency of the loss, is what of the payee's share was held for it. `back_minor` of the payee's part
    is not to be taken back: it has been reversed before, or that was given up. `waiting_minor` of it was held until it
    is transferred again. The caller holds the locks of the escrow and the payee.
    """
    loss = Loss.objects.create(
        escrow=escrow,
        chargeback=chargeback,
        refund=refund,
        payee_id=escrow.freelancer_id,
        currency=held.currency,
        amount_minor=shares.total,
        escrow_minor=shares.escrow,
        payee_minor=shares.payee,
        fee_minor=shares.fee,
        receivable_minor=shares.receivable,
        platform_minor=shares.platform,
        returned_minor=max(0, min(shares.total - shares.escrow, position.released)),
        booked_by_id=actor.user_id,
        booked_at=now,
    )
    if shares.receivable:
        Receivable.objects.create(
            user_id=loss.payee_id, loss=loss, currency=loss.currency, amount_minor=shares.receivable, created_at=now
        )
    loss_postings.book_loss(loss, escrow, held, now)
    payment = payment_of(loss)
    if positions.is_in_escrow(payment):
        _take_from_escrow(escrow, loss, held, now)
    else:
        unapplied.close(payment)
    if shares.payee > back_minor:
        back = Money(shares.payee - back_minor, escrow.currency)
        waiting = Money(waiting_minor, escrow.currency)
        reversals.take_back(escrow, back, loss=loss, now=now, waiting=waiting)
    return loss


def _take_from_escrow(escrow: Escrow, loss: Loss, held: Money, now: datetime) -> None:
    escrow.charged_back_minor += loss.escrow_minor
    escrow.returned_minor += loss.returned_minor
    escrow.contested_minor -= held.amount_minor
    escrow.reclaimed_minor += loss.payee_minor
    escrow.reclaimed_fee_minor += loss.fee_minor
    close_if_empty(escrow, now)
    escrow.save()


def close_if_empty(escrow: Escrow, now: datetime) -> None:
    """Close an escrow whose money a loss has taken, if nothing is left of it; the caller saves it.

    A refund request that what is left no longer covers is withdrawn.
    """
    refund_outcomes.supersede_request(escrow, escrow.remaining, now)
    if escrow.escrow_state in HOLDING_ESCROWS and not escrow.remaining.amount_minor:
        _close(escrow, now)


def _close(escrow: Escrow, now: datetime) -> None:
    """Close an escrow of which nothing is left, with its dispute and its milestone."""
    require(escrow.escrow_state, EscrowState.CHARGED_BACK)
    escrow.state = EscrowState.CHARGED_BACK.value
    escrow.auto_release_at = None
    disputes.end(escrow, now)
    milestone_states.close(escrow.milestone, MilestoneState.CANCELLED, now)


def payment_of(loss: Loss) -> Payment:
    """Return the payment whose money was lost."""
    cause = loss.chargeback or loss.refund
    assert cause is not None  # noqa: S101
    return cause.payment
