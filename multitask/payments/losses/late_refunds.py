"""Refunds after the release: the waterfall decides who bears them.

The payee may return what they earned, and finance staff may refund. The refund's money is reserved at once; the payee's
part comes back from their account at the provider by a reversal.
"""

from datetime import datetime
from typing import Any

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks, rate_limits
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit, loss_history
from multitask.payments.errors import (
    AmountTooLarge,
    CurrencyMismatch,
    EscrowFrozen,
    Forbidden,
    KeyReused,
    WrongState,
)
from multitask.payments.escrow import inquiries, refund_outcomes, refund_ways, refunds
from multitask.payments.losses import positions, refund_losses, reinstatements
from multitask.payments.models import Approval, Escrow, Loss, Refund
from multitask.payments.operations import amounts
from multitask.payments.states import EscrowState, PaymentState, RefundState
from multitask.users import powers
from multitask.users.actor import Actor, Power, Role


def refund_or_ask(
    *,
    actor: Actor,
    escrow_id: Identifier,
    amount: Money | None,
    reason: str,
    note: str = "",
    now: datetime,
    request_key: str = "",
) -> Refund | Approval:
    """Refund an escrow before or after its release, or ask the freelancer to agree, whichever its state allows.

    Raises what `refunds.ask_or_refund` and `refund` raise.
    """
    seen = access.escrow(actor, escrow_id)
    is_late = seen.state == EscrowState.RELEASED.value and access.party(actor, seen) is not Role.CLIENT
    command = refund if is_late else refunds.ask_or_refund
    return command(
        actor=actor, escrow_id=seen.pk, amount=amount, reason=reason, note=note, now=now, request_key=request_key
    )


@database.transactional
def refund(
    *,
    actor: Actor,
    escrow_id: Identifier,
    amount: Money | None,
    reason: str,
    note: str = "",
    now: datetime,
    request_key: str = "",
) -> Refund | Approval:
    """Refund a released escrow, as its payee or finance staff; `amount` None means all that was released.

    A large refund by staff creates and returns an approval. A payee can only return what they still have or may owe.
    Raises NotFound, Forbidden, ProofNeeded, WrongState, EscrowFrozen, AmountTooLarge, AmountTooPrecise,
    RefundTooSmall, CurrencyMismatch, TooManyRequests or KeyReused.
    """
    escrow = locks.locked_escrow(actor, escrow_id)
    role = access.party(actor, escrow)
    refusal = Forbidden("Only the freelancer or finance staff refunds what was released.")
    if role is Role.CLIENT:
        raise refusal
    if role is not Role.FREELANCER:
        powers.require(actor, Power.REFUND, refusal)
    earlier = _earlier(actor, escrow, amount, reason, request_key) or approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    wanted = _refundable(escrow, amount, actor)
    if role is not Role.FREELANCER and approvals.is_large(escrow, wanted):
        arguments = {"amount_minor": wanted.amount_minor, "reason": reason, "note": note}
        return approvals.ask(
            approvals.LATE_REFUND, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    if role is Role.FREELANCER:
        # Before the counter, as withdrawals do; and so that no withdrawal changes who bears it.
        positions.lock_payee(escrow)
        _require_bearable(escrow, wanted)
        key = f"late:{escrow.pk}:{escrow.returned_minor}:{now.timestamp()}"
        rate_limits.count(user_id=escrow.freelancer_id, purpose=rate_limits.Purpose.REFUND, key=key, now=now)
    return _refund(escrow, wanted, actor, reason, note, now, request_key)


def require_refundable(actor: Actor, escrow: Escrow, amount: Money | None) -> Money:
    """Return the amount that a refund after the release would refund now; `amount` None means all that was released.

    Raises WrongState, EscrowFrozen, AmountTooLarge, AmountTooPrecise, RefundTooSmall or CurrencyMismatch.
    """
    wanted = _refundable(escrow, amount, actor)
    if actor.is_user(escrow.freelancer_id):
        _require_bearable(escrow, wanted)
    return wanted


def _require_bearable(escrow: Escrow, amount: Money) -> None:
    """Require that the payee still has the amount, or may owe it. Raises AmountTooLarge."""
    if refund_losses.preview(escrow, amount).platform:
        raise AmountTooLarge("You have withdrawn this money: return less, or ask our support.")


def _earlier(actor: Actor, escrow: Escrow, amount: Money | None, reason: str, request_key: str) -> Refund | None:
    if not request_key:
        return None
    found = Refund.objects.filter(requested_by_id=actor.user_id, request_key=request_key).first()
    if found is None:
        return None
    same_amount = amount is None or amount == found.amount
    if found.escrow_id != escrow.pk or not same_amount or found.reason != reason:
        raise KeyReused
    return found


def _refundable(escrow: Escrow, amount: Money | None, actor: Actor) -> Money:
    if escrow.state != EscrowState.RELEASED.value:
        raise WrongState(f"This escrow is {escrow.state}, not released.")
    if escrow.reversals.filter(is_decided=False).exists():
        raise WrongState("A reversal that was made at the provider waits for a decision first.")
    if escrow.frozen_at is not None and not inquiries.may_refund(actor, escrow):
        raise EscrowFrozen
    left = Money(escrow.released_minor - escrow.returned_minor, escrow.currency)
    wanted = left if amount is None else amount
    if wanted.currency != escrow.currency:
        raise CurrencyMismatch
    if not wanted.amount_minor:
        raise WrongState("All of this was refunded before.")
    require_at_most(left, wanted)
    amounts.require_movable(escrow, wanted)
    refund_ways.require_possible(escrow, wanted)
    return wanted


def require_at_most(left: Money, amount: Money) -> None:
    """Require that no more is refunded than is left of what was released. Raises AmountTooLarge."""
    if amount > left:
        raise AmountTooLarge(fields={"amount": f"At most {left} can be refunded."})


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved refund after the release; the caller has locked the escrow."""
    amount = _refundable(escrow, Money(arguments["amount_minor"], escrow.currency), actor)
    _refund(escrow, amount, actor, arguments["reason"], arguments["note"], now, "")


def _refund(
    escrow: Escrow, amount: Money, actor: Actor, reason: str, note: str, now: datetime, request_key: str
) -> Refund:
    positions.lock_payee(escrow)
    created = create(escrow, amount, actor=actor, reason=reason, note=note, now=now, request_key=request_key)
    loss = refund_losses.bear(escrow, created, actor=actor, now=now)
    audit.record("late_refund_started", actor=actor, now=now, escrow=escrow, amount=amount, note=note or reason)
    loss_history.share_returned(escrow, created, loss, now)
    refund_outcomes.begin_call(escrow, created, now)
    return created


def create(
    escrow: Escrow, amount: Money, *, actor: Actor, reason: str, note: str, now: datetime, request_key: str = ""
) -> Refund:
    """Create the row of a refund after the release."""
    return Refund.objects.create(
        escrow=escrow,
        payment=escrow.payments.get(state=PaymentState.SUCCEEDED.value),
        source="released",
        provider=escrow.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        state=RefundState.PENDING.value,
        reason=reason,
        note=note,
        requested_by_id=actor.user_id,
        decided_by_id=actor.user_id,
        request_key=request_key,
        created_at=now,
        decided_at=now,
    )


@database.transactional
def give_up(*, actor: Actor, refund_id: int, now: datetime, note: str = "", request_key: str = "") -> Refund | Approval:
    """Give the money of a refund after the release that failed back to those who bore it, as finance staff.

    A large one creates and returns an approval. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.REFUND, Forbidden())
    seen = access.refund(actor, refund_id)
    escrow = locks.locked_escrow(actor, seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    failed, _loss = _given_up(escrow, seen.pk)
    arguments = {"refund_id": failed.pk, "amount_minor": failed.amount_minor, "note": note}
    if approvals.is_large(escrow, failed.amount):
        return approvals.ask(
            approvals.GIVE_UP_REFUND, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    carry_out_giving_up(escrow, arguments, actor, now)
    failed.refresh_from_db()
    return failed


def _given_up(escrow: Escrow, refund_id: int) -> tuple[Refund, Loss]:
    """Lock the refund, which failed and still holds its money, and return it with its loss. Raises WrongState."""
    failed = Refund.objects.select_for_update(no_key=True).get(pk=refund_id, escrow=escrow)
    loss = failed.losses.filter(reversed_at=None).first()
    if failed.state != RefundState.FAILED.value or not failed.holds_money or loss is None:
        raise WrongState("Only a failed refund after the release can be given up.")
    return failed, loss


def carry_out_giving_up(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Give a failed refund up, at once or after approval; the caller has locked the escrow. Raises WrongState."""
    failed, loss = _given_up(escrow, arguments["refund_id"])
    failed.holds_money = False
    failed.save(update_fields=["holds_money"])
    note = arguments["note"]
    audit.record("late_refund_given_up", actor=actor, now=now, escrow=escrow, amount=failed.amount, note=note)
    loss_history.share_restored(escrow, failed, now)
    reinstatements.undo_refund(escrow, loss, now)
