"""Losses that did not last: they are undone, and what the bank keeps of a chargeback is booked anew."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from multitask.money import Money
from multitask.payments.books import audit, loss_history, loss_postings, shares
from multitask.payments.escrow import charges, reopening, unapplied
from multitask.payments.losses import adjustments, booking, lost_reversals, positions, write_offs
from multitask.payments.losses.lost_reversals import TakenUp
from multitask.payments.models import Chargeback, Escrow, Loss, Receivable
from multitask.payments.payouts import reversals, transfers
from multitask.payments.states import EscrowState, HistoryStatus, ReversalState
from multitask.payments.terms import Split
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Undone:
    """The payee's part of a loss that was undone: what was given up, which is still held, and all others.

    `recovered` from later releases is pending for the payee.
    """

    loss: Loss
    taken_up: list[TakenUp]
    recovered: Money
    given_up: Money
    others: Money


def undo_for(escrow: Escrow, chargeback: Chargeback, now: datetime) -> None:
    """Undo the loss of a chargeback that was won after it had been booked as lost."""
    loss = Loss.objects.filter(chargeback=chargeback, reversed_at=None).first()
    if loss is not None:
        undo(escrow, loss, now)
        loss_history.chargeback_became(escrow, chargeback, HistoryStatus.CANCELLED, now)


def undo(escrow: Escrow, loss: Loss, now: datetime) -> None:
    """Undo a loss: the escrow, the platform and the payee get back what they bore; the caller holds the locks.

    The payee's part is held until it has been transferred again.
    """
    undone = _undo(escrow, loss, now)
    # A reversal that was begun for a larger loss may have been given up for more than this one took.
    debts = lost_reversals.book_anew(escrow, loss, undone.taken_up, undone.given_up, now)
    _return(escrow, loss, undone, undone.given_up, debts, now)


def undo_refund(escrow: Escrow, loss: Loss, now: datetime) -> None:
    """Undo the loss of a refund that failed and was given up; the caller holds the escrow's lock.

    If the bank has taken the same money with a chargeback meanwhile, the platform bore what was not there any more. The
    loss of the chargeback is then booked anew, so that what came back bears it.
    """
    waited = transfers.to_be_freed(escrow)
    undo(escrow, loss, now)
    payment = booking.payment_of(loss)
    if not positions.is_in_escrow(payment):
        return
    rows = Chargeback.objects.select_for_update(no_key=True, of=("self",)).select_related("payment")
    borne = Loss.objects.filter(chargeback__payment=payment, reversed_at=None, platform_minor__gt=0)
    for chargeback in rows.filter(pk__in=borne.values("chargeback_id")).order_by("pk"):
        if charges.overdrawn(escrow, payment).amount_minor:
            booked = Loss.objects.get(chargeback=chargeback, reversed_at=None)
            booked.chargeback = chargeback
            _book_anew(escrow, chargeback, booked, waited=waited, freed=loss, now=now)


def follow(escrow: Escrow, chargeback: Chargeback, now: datetime) -> None:
    """Book a lost chargeback anew if the bank keeps another amount than was booked; the caller holds the escrow's lock.

    The whole loss is undone and what is kept is divided again, so those who bear last get back first. Finance has
    decided about the loss already, and this follows from it; so do the reversals that it gave up, and its write-offs.
    """
    booked = Loss.objects.select_related("chargeback__payment").filter(chargeback=chargeback, reversed_at=None).get()
    if booked.amount_minor == chargeback.taken_minor or chargeback.taken_minor <= 0:
        return
    _book_anew(escrow, chargeback, booked, waited=transfers.to_be_freed(escrow), freed=None, now=now)


def _book_anew(
    escrow: Escrow, chargeback: Chargeback, booked: Loss, *, waited: Money, freed: Loss | None, now: datetime
) -> None:
    """Undo the loss of a chargeback and book it anew.

    `waited` is what waited for its transfer before anything was undone. `freed` is the loss of a refund that was undone
    just before, whose share bears the new one as well.
    """
    undone = _undo(escrow, booked, now)
    # What was undone would be transferred again. It bears the new loss first, and is then not transferred.
    waiting = transfers.to_be_freed(escrow) - waited
    part = booking.Undone(
        to_transfer=waiting.amount_minor,
        given_up=undone.given_up.amount_minor,
        others=undone.others.amount_minor + (freed.payee_minor if freed is not None else 0),
    )
    loss, given_up = booking.book_kept(escrow, chargeback, part, now)
    if freed is not None:
        _carry_reversals(freed, loss)
    returned = undone.given_up - given_up
    debts = _carry_over(booked, loss) + lost_reversals.book_anew(escrow, loss, undone.taken_up, returned, now)
    _return(escrow, loss, undone, returned, debts, now)


def _carry_over(former: Loss, loss: Loss) -> list[tuple[Receivable, Receivable]]:
    """Let the new loss have what the former one began: reversals that are under way, and the age of the debt.

    Return the former debt with the one that replaces it, if both losses have one.
    """
    _carry_reversals(former, loss)
    owed = Receivable.objects.filter(loss=former).first()
    debt = Receivable.objects.filter(loss=loss).first()
    if owed is None or debt is None:
        return []
    debt.created_at = owed.created_at
    debt.save(update_fields=["created_at"])
    return [(owed, debt)]


def _carry_reversals(former: Loss, loss: Loss) -> None:
    former.reversals.filter(state=ReversalState.PENDING.value).update(loss=loss)


def _return(
    escrow: Escrow,
    loss: Loss,
    undone: _Undone,
    given_up: Money,
    debts: list[tuple[Receivable, Receivable]],
    now: datetime,
) -> None:
    """Give the payee back what they keep of what was given up, and what was recovered of their debts.

    What was recovered pays the debts first that replace former ones; what was written off of those stays so.
    """
    if given_up.amount_minor:
        escrow.contested_minor -= given_up.amount_minor
        escrow.save(update_fields=["contested_minor"])
        shares.free(escrow, given_up, f"loss:{undone.loss.pk}:taken_up", now)
    if undone.recovered.amount_minor:
        first = [debt.pk for _former, debt in debts]
        adjustments.return_recovered(loss, escrow, undone.recovered, now=now, first=first)
    for former, debt in debts:
        write_offs.carry_over(former, debt.pk, now)


def _undo(escrow: Escrow, loss: Loss, now: datetime) -> _Undone:
    """Undo a loss; the caller frees the share behind what was given up, or books it anew."""
    positions.lock_payee(escrow)
    owed, recovered = _cancel_receivable(loss)
    loss.reversed_at = now
    loss.save(update_fields=["reversed_at"])
    rest = _released_since(escrow, loss)
    loss_postings.undo_loss(loss, escrow, owed, recovered, rest, now)
    audit.record(
        "loss_reversed", actor=_SYSTEM, now=now, escrow=escrow, amount=loss.amount, details=booking.borne(loss)
    )
    payment = booking.payment_of(loss)
    if positions.is_in_escrow(payment):
        _give_back(escrow, loss, rest, now)
    elif loss.escrow_minor:
        unapplied.reopen(payment)
    if rest is not None:
        loss_history.released_rest(escrow, rest)
    given_up = lost_reversals.given_up_of(escrow, loss)
    share = Money(loss.payee_minor, escrow.currency) + (rest.freelancer if rest else Money.zero(escrow.currency))
    if share.amount_minor:
        reversals.abandon(loss, now)
        _return_share(escrow, loss, share - given_up, now)
    # Not before the rest is freed: that does not pay what was paid out ahead of this part.
    taken_up = lost_reversals.take_up(loss, now)
    recovered = sum((each.recovered for each in taken_up), recovered)
    return _Undone(loss=loss, taken_up=taken_up, recovered=recovered, given_up=given_up, others=share - given_up)


def _released_since(escrow: Escrow, loss: Loss) -> Split | None:
    """Return how what the escrow bore is divided if the rest of it was released meanwhile: it is released as well."""
    is_released = escrow.state == EscrowState.RELEASED.value and positions.is_in_escrow(booking.payment_of(loss))
    if not is_released or not loss.escrow_minor:
        return None
    return escrow.terms.split(Money(loss.escrow_minor, escrow.currency))


def _return_share(escrow: Escrow, loss: Loss, share: Money, now: datetime) -> None:
    """Transfer the payee's part again; what never left their account at the provider is theirs at once."""
    away = min(share, max(transfers.outstanding(escrow), Money.zero(escrow.currency)))
    if away.amount_minor:
        transfers.begin_again(escrow, away, held=away, now=now)
    if away < share:
        escrow.contested_minor -= (share - away).amount_minor
        escrow.save(update_fields=["contested_minor"])
        shares.free(escrow, share - away, f"loss:{loss.pk}:freed", now)


def _cancel_receivable(loss: Loss) -> tuple[Money, Money]:
    """Cancel what is owed of a loss; return that, and what was recovered before."""
    row = Receivable.objects.select_for_update(no_key=True).filter(loss=loss).first()
    if row is None:
        return Money.zero(loss.currency), Money.zero(loss.currency)
    owed = row.owed
    row.cancelled_minor += owed.amount_minor
    row.save(update_fields=["cancelled_minor"])
    return owed, Money(row.recovered_minor, loss.currency)


def _give_back(escrow: Escrow, loss: Loss, rest: Split | None, now: datetime) -> None:
    escrow.charged_back_minor -= loss.escrow_minor
    escrow.returned_minor -= loss.returned_minor
    escrow.contested_minor += loss.payee_minor
    escrow.reclaimed_minor -= loss.payee_minor
    escrow.reclaimed_fee_minor -= loss.fee_minor
    if rest is not None:
        escrow.released_minor += rest.total.amount_minor
        escrow.released_fee_minor += rest.fee.amount_minor
        escrow.contested_minor += rest.freelancer.amount_minor
    elif loss.escrow_minor:
        reopening.reopen(escrow, now)
    escrow.save()
