"""Refunds before release: immediate, or by a request that has to be answered.

Staff and the freelancer refund immediately, and so does the client while the work has not started or the milestone
is cancelled. Otherwise the client's refund is a request that the freelancer answers, or finance staff for them:
no answer in time accepts it, and a refusal opens a dispute.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks, rate_limits
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit
from multitask.payments.errors import (
    AmountTooLarge,
    CurrencyMismatch,
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    KeyReused,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import charges, disputes, inquiries, refund_outcomes, refund_ways
from multitask.payments.models import Escrow, Payment, Refund
from multitask.payments.operations import amounts
from multitask.payments.states import (
    NOT_STARTED,
    OPEN_REFUNDS,
    EscrowState,
    MilestoneState,
    PaymentState,
    RefundState,
    require,
)
from multitask.users import powers
from multitask.users.actor import STAFF_ROLES, Actor, Power, Role

AT_ONCE: Final = NOT_STARTED | {MilestoneState.CANCELLED}


def is_immediate(actor: Actor, escrow: Escrow) -> bool:
    """Return whether a refund by this actor takes effect without an answer from the other side."""
    role = access.party(actor, escrow)
    if role is Role.CLIENT:
        return escrow.milestone.milestone_state in AT_ONCE
    return role is Role.FREELANCER or actor.may(Power.REFUND)


@database.transactional
def ask_or_refund(
    *,
    actor: Actor,
    escrow_id: Identifier,
    amount: Money | None,
    reason: str,
    note: str = "",
    now: datetime,
    request_key: str = "",
) -> Refund | approvals.Approval:
    """Refund at once or create a refund request, depending on the actor; `amount` None means all that is left.

    A large refund by staff creates and returns an approval instead. Raises NotFound, Forbidden, ProofNeeded,
    NotFunded, WrongState, DisputeOpen, EscrowFrozen, RefundInProgress, AmountTooLarge, RefundTooSmall,
    CurrencyMismatch, TooManyRequests or KeyReused.
    """
    escrow = locks.locked_escrow(actor, escrow_id)
    is_party = access.party(actor, escrow) in {Role.CLIENT, Role.FREELANCER}
    if not is_party:
        powers.require(actor, Power.REFUND, Forbidden("Your role may not refund."))
    earlier = _earlier(actor, escrow, amount, reason, request_key) or approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    wanted = amount_to_refund(escrow, amount, actor=actor)
    if not is_party and approvals.is_large(escrow, wanted):
        arguments = {"amount_minor": wanted.amount_minor, "reason": reason, "note": note}
        return approvals.ask(
            approvals.REFUND, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    if is_immediate(actor, escrow):
        approvals.require_none_open(escrow)
    if is_party and actor.user_id is not None:
        # The remaining amount differs after each refund, so each counts as one object.
        key = f"{escrow.pk}:{escrow.remaining.amount_minor}:{now.timestamp()}"
        rate_limits.count(user_id=actor.user_id, purpose=rate_limits.Purpose.REFUND, key=key, now=now)
    if is_immediate(actor, escrow):
        return start(escrow, wanted, actor=actor, reason=reason, note=note, now=now, request_key=request_key)
    return _request(escrow, wanted, actor, reason, note, now, request_key)


def _earlier(actor: Actor, escrow: Escrow, amount: Money | None, reason: str, request_key: str) -> Refund | None:
    """Return the refund that an earlier attempt of the same request created, or None. Raises KeyReused."""
    if not request_key:
        return None
    found = Refund.objects.filter(requested_by_id=actor.user_id, request_key=request_key).first()
    if found is None:
        return None
    same_amount = amount is None or amount == found.amount
    if found.escrow_id != escrow.pk or not same_amount or found.reason != reason:
        raise KeyReused
    return found


def amount_to_refund(escrow: Escrow, amount: Money | None, *, actor: Actor | None = None) -> Money:
    """Return the amount to refund; `amount` None means all that is left.

    An `actor` of the staff may refund while a bank only inquires.

    Raises DisputeOpen, NotFunded, WrongState, EscrowFrozen, RefundInProgress, CurrencyMismatch, AmountTooLarge,
    AmountTooPrecise or RefundTooSmall if nothing, or not this amount, may be refunded now.
    """
    if escrow.state == EscrowState.DISPUTED.value:
        raise DisputeOpen
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        raise NotFunded
    if escrow.state != EscrowState.FUNDED.value:
        raise WrongState(f"This escrow is {escrow.state}; nothing is left to refund.")
    _require_free(escrow, actor)
    if amount is None:
        refund_ways.require_possible(escrow, escrow.remaining)
        return escrow.remaining
    if amount.currency != escrow.currency:
        raise CurrencyMismatch
    if amount > escrow.remaining:
        raise AmountTooLarge(fields={"amount": f"At most {escrow.remaining} is left."})
    amounts.require_movable(escrow, amount)
    refund_ways.require_possible(escrow, amount)
    return amount


def _require_free(escrow: Escrow, actor: Actor | None = None) -> None:
    if escrow.frozen_at is not None and not (actor is not None and inquiries.may_refund(actor, escrow)):
        raise EscrowFrozen
    if escrow.refunds.filter(source="escrow", state__in=[s.value for s in OPEN_REFUNDS]).exists():
        raise RefundInProgress


def _payment_of(escrow: Escrow) -> Payment:
    return escrow.payments.get(state=PaymentState.SUCCEEDED.value)


def start(
    escrow: Escrow,
    amount: Money,
    *,
    actor: Actor,
    reason: str,
    note: str = "",
    now: datetime,
    request_key: str = "",
) -> Refund:
    """Create a refund that needs no answer; the caller holds the lock and has checked the amount."""
    refund = Refund.objects.create(
        escrow=escrow,
        payment=_payment_of(escrow),
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
    audit.record("refund_started", actor=actor, now=now, escrow=escrow, amount=amount, note=note or reason)
    refund_outcomes.send(escrow, refund, now)
    return refund


def _request(
    escrow: Escrow,
    amount: Money,
    actor: Actor,
    reason: str,
    note: str,
    now: datetime,
    request_key: str,
) -> Refund:
    refund = Refund.objects.create(
        escrow=escrow,
        payment=_payment_of(escrow),
        provider=escrow.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        state=RefundState.REQUESTED.value,
        reason=reason,
        note=note,
        requested_by_id=actor.user_id,
        request_key=request_key,
        created_at=now,
        answer_by_at=now + timedelta(days=escrow.refund_answer_days),
    )
    audit.record("refund_requested", actor=actor, now=now, escrow=escrow, amount=amount, note=reason)
    return refund


def _locked(actor: Actor, refund_id: Identifier) -> tuple[Escrow, Refund]:
    seen = access.refund(actor, refund_id)
    escrow = locks.locked_escrow(actor, seen.escrow_id)
    return escrow, Refund.objects.select_related("payment").get(pk=seen.pk)


def _require_asked(refund: Refund) -> None:
    if refund.state != RefundState.REQUESTED.value:
        raise WrongState(f"This refund is {refund.state}; there is nothing to answer.")


@database.transactional
def answer(
    *, actor: Actor, refund_id: Identifier, accept: bool, note: str = "", now: datetime, request_key: str = ""
) -> Refund | approvals.Approval:
    """Accept or refuse a refund request, as the freelancer or finance staff; refusing opens a dispute.

    The system accepts requests without an answer in time. A large refund that staff accepts creates and returns an
    approval instead. Raises NotFound, Forbidden, ProofNeeded, WrongState or EscrowFrozen.
    """
    escrow, refund = _locked(actor, refund_id)
    role = access.party(actor, escrow)
    refusal = Forbidden("Only the freelancer or finance staff answers a refund request.")
    if role is Role.CLIENT:
        raise refusal
    if role is not Role.FREELANCER:
        powers.require(actor, Power.REFUND, refusal)
    earlier = _answered(escrow, refund, request_key, accept=accept)
    if earlier is not None:
        return earlier
    _require_answerable(escrow, refund)
    approvals.require_none_open(escrow)
    if role in STAFF_ROLES and accept and approvals.is_large(escrow, refund.amount):
        arguments = {"amount_minor": refund.amount_minor, "reason": refund.reason, "note": note}
        arguments["refund_id"] = refund.pk
        return approvals.ask(
            approvals.REFUND, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    refund.answer_key = request_key
    return (_accept if accept else _refuse)(escrow, refund, actor, note, now)


def _answered(escrow: Escrow, refund: Refund, request_key: str, *, accept: bool) -> Refund | approvals.Approval | None:
    """Return what an earlier attempt of the same answer created or changed, or None."""
    was_accepted = refund.state != RefundState.REFUSED.value
    if request_key and refund.answer_key == request_key and was_accepted is accept:
        return refund
    return approvals.asked(escrow, request_key)


def _require_answerable(escrow: Escrow, refund: Refund) -> None:
    _require_asked(refund)
    if escrow.frozen_at is not None:
        raise EscrowFrozen


def _decided(refund: Refund, state: RefundState, actor: Actor, note: str, now: datetime) -> None:
    require(RefundState(refund.state), state)
    refund.state = state.value
    refund.decided_by_id, refund.decided_at, refund.answer_note = actor.user_id, now, note
    refund.save()


def _accept(escrow: Escrow, refund: Refund, actor: Actor, note: str, now: datetime) -> Refund:
    _decided(refund, RefundState.PENDING, actor, note, now)
    # The event names who decided, since both sides are notified of it: the freelancer or the staff.
    event = "refund_granted" if access.party(actor, escrow) in STAFF_ROLES else "refund_accepted"
    audit.record(event, actor=actor, now=now, escrow=escrow, amount=refund.amount, note=note)
    refund_outcomes.send(escrow, refund, now)
    return refund


def _refuse(escrow: Escrow, refund: Refund, actor: Actor, note: str, now: datetime) -> Refund:
    _decided(refund, RefundState.REFUSED, actor, note, now)
    event = "refund_denied" if access.party(actor, escrow) in STAFF_ROLES else "refund_refused"
    audit.record(event, actor=actor, now=now, escrow=escrow, amount=refund.amount, note=note)
    disputes.open_for(escrow, actor=actor, reason=note or refund.reason, refund=refund, now=now)
    return refund


@database.transactional
def withdraw(*, actor: Actor, refund_id: Identifier, now: datetime) -> Refund:
    """Withdraw a refund request, as its client. Raises NotFound, Forbidden, WrongState or EscrowFrozen."""
    escrow, refund = _locked(actor, refund_id)
    access.require_client(actor, escrow, "Only the client can take a refund request back.")
    _require_answerable(escrow, refund)
    require(RefundState(refund.state), RefundState.WITHDRAWN)
    refund.state, refund.decided_at = RefundState.WITHDRAWN.value, now
    refund.decided_by_id = actor.user_id
    refund.save()
    audit.record("refund_withdrawn", actor=actor, now=now, escrow=escrow, amount=refund.amount)
    return refund


@database.transactional
def retry(*, actor: Actor, refund_id: Identifier, now: datetime, note: str = "") -> Refund | approvals.Approval:
    """Retry a failed refund, as finance staff: once, as a new refund of the same amount and source.

    A large refund creates and returns an approval instead. Raises Forbidden, ProofNeeded, NotFound, NotFunded,
    WrongState, DisputeOpen, EscrowFrozen, RefundInProgress, AmountTooLarge or RefundTooSmall.
    """
    powers.require(actor, Power.REFUND, Forbidden())
    escrow, refund = _locked(actor, refund_id)
    access.require_neutral(actor, escrow)
    _require_retriable(escrow, refund, actor)
    if approvals.is_large(escrow, refund.amount):
        arguments = {"refund_id": refund.pk, "amount_minor": refund.amount_minor, "note": note}
        return approvals.ask(approvals.RETRY_REFUND, escrow, actor=actor, arguments=arguments, now=now)
    approvals.require_none_open(escrow)
    return _retry(escrow, refund, actor, note, now)


def _require_retriable(escrow: Escrow, refund: Refund, actor: Actor) -> None:
    is_gone = refund.is_outside and not refund.holds_money
    if refund.state != RefundState.FAILED.value or refund.source == "unapplied" or is_gone:
        raise WrongState("Only a failed refund of an escrow can be tried again.")
    if Refund.objects.filter(escrow=escrow, request_key=refund_outcomes.retry_key(refund)).exists():
        raise WrongState("This refund was tried again already.")
    if not charges.is_owed(refund):
        raise WrongState("The client has got this money from the bank with a chargeback, so it is not refunded again.")
    if refund.holds_money:
        _require_free(escrow, actor)
    elif escrow.state == EscrowState.RELEASED.value:
        raise WrongState("The money of this refund went back to escrow and was released.")
    else:
        amount_to_refund(escrow, refund.amount, actor=actor)


def _retry(escrow: Escrow, refund: Refund, actor: Actor, note: str, now: datetime) -> Refund:
    if refund.holds_money:
        return refund_outcomes.resend(escrow, refund, actor=actor, now=now, note=note)
    key, reason = refund_outcomes.retry_key(refund), refund.reason
    return start(escrow, refund.amount, actor=actor, reason=reason, note=note, now=now, request_key=key)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved refund, or the approved acceptance of a refund request."""
    if "refund_id" in arguments:
        refund = Refund.objects.select_related("payment").get(pk=arguments["refund_id"], escrow=escrow)
        _require_answerable(escrow, refund)
        _accept(escrow, refund, actor, arguments["note"], now)
        return
    amount = amount_to_refund(escrow, Money(arguments["amount_minor"], escrow.currency), actor=actor)
    reason, note = arguments["reason"], arguments["note"]
    start(escrow, amount, actor=actor, reason=reason, note=note, now=now)


def carry_out_retry(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved retry of a refund."""
    refund = Refund.objects.select_related("payment").get(pk=arguments["refund_id"], escrow=escrow)
    _require_retriable(escrow, refund, actor)
    _retry(escrow, refund, actor, arguments["note"], now)


def unanswered(*, now: datetime) -> list[int]:
    """Return the ids of all refund requests that were not answered in time, oldest first."""
    due = Refund.objects.filter(
        ~approvals.open_for_outer("escrow"),
        state=RefundState.REQUESTED.value,
        answer_by_at__lte=now,
        escrow__frozen_at=None,
    )
    return list(due.order_by("answer_by_at").values_list("pk", flat=True))
