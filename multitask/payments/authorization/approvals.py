"""Approvals: a large decision of the staff needs a second person."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Sum

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, FourEyes, NotFound, WrongState
from multitask.payments.models import Approval, Escrow
from multitask.payments.states import RefundState
from multitask.users import powers
from multitask.users.actor import Actor, Power

__all__ = ["REFUND", "SETTLE", "Approval", "ask", "decide", "install", "is_large"]
REFUND: Final = "refund"
SETTLE: Final = "settle"
RELEASE: Final = "release"
RETRY_REFUND: Final = "retry_refund"
RETRY_TRANSFER: Final = "retry_transfer"
RETURN_PAYMENT: Final = "return_payment"
BOOK_LOSS: Final = "book_loss"
ACCEPT_CHARGEBACK: Final = "accept_chargeback"
LATE_REFUND: Final = "late_refund"
TRANSFER_AGAIN: Final = "transfer_again"
GIVE_UP_REFUND: Final = "give_up_refund"
GIVE_UP_REVERSAL: Final = "give_up_reversal"
REFUND_BY_BANK: Final = "refund_by_bank"
WRITE_OFF: Final = "write_off"
ADJUST: Final = "adjust"
DECIDE_PAYOUT: Final = "decide_payout"
DECIDE_REFUND: Final = "decide_refund"
DECIDE_WITHDRAWAL: Final = "decide_withdrawal"
RECORD_PAYOUT: Final = "record_payout"
EXPLAIN_LINE: Final = "explain_line"
# Who may ask for a decision may be the second person of another.
_POWERS: Final[Mapping[str, Power]] = {
    REFUND: Power.REFUND,
    RETRY_REFUND: Power.REFUND,
    RETURN_PAYMENT: Power.REFUND,
    LATE_REFUND: Power.REFUND,
    GIVE_UP_REFUND: Power.REFUND,
    GIVE_UP_REVERSAL: Power.REFUND,
    REFUND_BY_BANK: Power.REFUND,
    DECIDE_REFUND: Power.REFUND,
    TRANSFER_AGAIN: Power.REFUND,
    BOOK_LOSS: Power.REFUND,
    RELEASE: Power.RELEASE,
    RETRY_TRANSFER: Power.RELEASE,
    SETTLE: Power.SETTLE_DISPUTE,
    ACCEPT_CHARGEBACK: Power.ANSWER_CHARGEBACK,
    WRITE_OFF: Power.ADJUST,
    ADJUST: Power.ADJUST,
    EXPLAIN_LINE: Power.ADJUST,
    DECIDE_PAYOUT: Power.ADJUST,
    DECIDE_WITHDRAWAL: Power.ADJUST,
    RECORD_PAYOUT: Power.ADJUST,
}

Executor: TypeAlias = Callable[[Escrow, dict[str, Any], Actor, datetime], None]
# Carries out a decision that concerns no escrow.
SubjectExecutor: TypeAlias = Callable[[dict[str, Any], Actor, datetime], None]
_EXECUTORS: dict[str, Executor] = {}
_SUBJECT_EXECUTORS: dict[str, SubjectExecutor] = {}


def install(executors: Mapping[str, Executor], subject_executors: Mapping[str, SubjectExecutor]) -> None:
    """Register the function that carries out approved decisions of each kind.

    `executors` are called with the escrow locked; `subject_executors` are for decisions that concern no escrow.
    """
    _EXECUTORS.update(executors)
    _SUBJECT_EXECUTORS.update(subject_executors)


def power_of(kind: str) -> Power:
    """Return the power that deciding about an approval of this kind takes: the same as asking for it."""
    return _POWERS[kind]


def may_decide(actor: Actor, approval: Approval) -> bool:
    """Return whether this person may be the second one for a decision that waits."""
    is_waiting = approval.decided_at is None and not actor.is_user(approval.requested_by_id)
    return is_waiting and actor.may(power_of(approval.kind))


def is_large(escrow: Escrow, amount: Money) -> bool:
    """Return whether an amount of an escrow is above the limit for one member of the staff.

    Earlier refunds by the staff count too, so that a large refund cannot be split into small ones.
    """
    own_money = (escrow.client_id, escrow.freelancer_id)
    by_staff = escrow.refunds.filter(decided_by__isnull=False).exclude(decided_by_id__in=own_money)
    unpaid = [RefundState.FAILED.value, RefundState.REFUSED.value]
    before = by_staff.exclude(state__in=unpaid).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return before + amount.amount_minor > settings.SECOND_PERSON_ABOVE_MINOR


def asked(escrow: Escrow, request_key: str) -> Approval | None:
    """Return the approval that an earlier attempt of the same request created, or None."""
    if not request_key:
        return None
    return Approval.objects.filter(escrow=escrow, ask_key=request_key).first()


def asked_about(subject: str, request_key: str) -> Approval | None:
    """Return the approval about a subject that an earlier attempt of the same request created, or None."""
    return Approval.objects.filter(subject=subject, ask_key=request_key).first() if request_key else None


def is_any_open(escrow: Escrow) -> bool:
    """Return whether a decision about this escrow waits for a second person."""
    return Approval.objects.filter(escrow=escrow, decided_at=None).exists()


def require_none_open(escrow: Escrow) -> None:
    """Require that no decision about this escrow waits for a second person. Raises WrongState."""
    if is_any_open(escrow):
        raise undecided()


def open_for_outer(escrow: str = "pk") -> Exists:
    """Return the condition, for a query of escrows, that a decision about the escrow waits for a second person."""
    return Exists(Approval.objects.filter(escrow=OuterRef(escrow), decided_at=None))


def undecided() -> WrongState:
    """Return the error of a command that has to wait for a decision."""
    return WrongState("A decision about this escrow waits for a second person.")


def require_same_amount(asked_minor: int, present: Money) -> None:
    """Require that the amount (in minor units) has not changed since approval was asked for. Raises WrongState."""
    if asked_minor != present.amount_minor:
        raise WrongState("The amount has changed since approval was requested: reject this and request it again.")


def ask(
    kind: str, escrow: Escrow, *, actor: Actor, arguments: dict[str, Any], now: datetime, request_key: str = ""
) -> Approval:
    """Create an approval that waits for a second person; the caller holds the escrow's lock.

    Raises Forbidden, or WrongState while another decision about the escrow waits.
    """
    if Approval.objects.filter(escrow=escrow, kind=kind, decided_at=None).exists():
        raise WrongState("This already waits for a second person.")
    require_none_open(escrow)
    return _create(kind, f"escrow:{escrow.pk}", escrow, actor, arguments, now, request_key)


def ask_about(
    kind: str, subject: str, *, actor: Actor, arguments: dict[str, Any], now: datetime, request_key: str = ""
) -> Approval:
    """Create an approval about a subject that is no escrow, such as `statement_line:7`, which the caller has locked.

    A repeated `request_key` returns the approval that it created. Raises Forbidden, or WrongState while another
    decision of this kind about the subject waits.
    """
    asked_before = Approval.objects.filter(subject=subject, kind=kind)
    earlier = asked_before.filter(ask_key=request_key).first() if request_key else None
    if earlier is not None:
        return earlier
    if asked_before.filter(decided_at=None).exists():
        raise WrongState("This already waits for a second person.")
    return _create(kind, subject, None, actor, arguments, now, request_key)


def _create(
    kind: str,
    subject: str,
    escrow: Escrow | None,
    actor: Actor,
    arguments: dict[str, Any],
    now: datetime,
    request_key: str,
) -> Approval:
    if actor.user_id is None:
        raise Forbidden("Only a person can ask for approval.")
    approval = Approval.objects.create(
        kind=kind,
        escrow=escrow,
        subject=subject,
        arguments=arguments,
        requested_by_id=actor.user_id,
        requested_at=now,
        ask_key=request_key,
    )
    _record(f"{kind}_needs_approval", approval, actor, now, str(arguments.get("note", "")))
    return approval


def _record(event: str, approval: Approval, actor: Actor, now: datetime, note: str) -> None:
    details = {} if approval.escrow_id else {"subject": approval.subject}
    audit.record(event, actor=actor, now=now, escrow=approval.escrow, note=note, details=details)


def visible(actor: Actor) -> QuerySet[Approval]:
    """Select all approvals, open and decided, for staff only. Raises Forbidden."""
    if not actor.may(Power.READ_ANY):
        raise Forbidden
    return Approval.objects.all()


@database.transactional
def decide(
    *, actor: Actor, approval_id: int, approve: bool, now: datetime, request_key: str = "", note: str = ""
) -> Approval:
    """Approve or turn down a decision that another member of the staff asked for.

    Raises Forbidden, ProofNeeded, FourEyes, NotFound, WrongState or what the approved command raises.
    """
    powers.require(actor, Power.READ_ANY, Forbidden())
    seen = Approval.objects.filter(pk=approval_id).first()
    if seen is None:
        raise NotFound("There is no such request.")
    powers.require(actor, power_of(seen.kind), Forbidden())
    escrow = None if seen.escrow_id is None else locks.lock_by_id(seen.escrow_id)
    approval = Approval.objects.select_for_update(no_key=True).get(pk=approval_id)
    if request_key and approval.decide_key == request_key:
        return approval
    if approval.decided_at is not None:
        raise WrongState("This was decided already.")
    if actor.is_user(approval.requested_by_id):
        raise FourEyes
    if escrow is not None:
        access.require_neutral(actor, escrow)
    approval.decided_by_id, approval.decided_at, approval.approved = actor.user_id, now, approve
    approval.decide_key = request_key
    approval.save()
    event = f"{approval.kind}_approved" if approve else f"{approval.kind}_turned_down"
    _record(event, approval, actor, now, note)
    if approve and escrow is not None:
        _EXECUTORS[approval.kind](escrow, approval.arguments, actor, now)
    elif approve:
        _SUBJECT_EXECUTORS[approval.kind](approval.arguments, actor, now)
    return approval
