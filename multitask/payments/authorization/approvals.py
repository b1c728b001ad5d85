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

Carrier: TypeAlias = Callable[[Escrow, dict[str, Any], Actor, datetime], None]
_CARRIERS: dict[str, Carrier] = {}


def install(carriers: Mapping[str, Carrier]) -> None:
    """Register the function that carries out approved decisions of each kind; it is called with the escrow locked."""
    _CARRIERS.update(carriers)


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
    if actor.user_id is None:
        raise Forbidden("Only a person can ask for approval.")
    approval = Approval.objects.create(
        kind=kind,
        escrow=escrow,
        arguments=arguments,
        requested_by_id=actor.user_id,
        requested_at=now,
        ask_key=request_key,
    )
    audit.record(f"{kind}_needs_approval", actor=actor, now=now, escrow=escrow, note=str(arguments.get("note", "")))
    return approval


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
    powers.require(actor, Power.REFUND, Forbidden())
    seen = Approval.objects.filter(pk=approval_id).first()
    if seen is None:
        raise NotFound("There is no such request.")
    escrow = locks.lock_by_id(seen.escrow_id)
    approval = Approval.objects.select_for_update(no_key=True).get(pk=approval_id)
    if request_key and approval.decide_key == request_key:
        return approval
    if approval.decided_at is not None:
        raise WrongState("This was decided already.")
    if actor.is_user(approval.requested_by_id):
        raise FourEyes
    access.require_neutral(actor, escrow)
    approval.decided_by_id, approval.decided_at, approval.approved = actor.user_id, now, approve
    approval.decide_key = request_key
    approval.save()
    event = f"{approval.kind}_approved" if approve else f"{approval.kind}_turned_down"
    audit.record(event, actor=actor, now=now, escrow=escrow, note=note)
    if approve:
        _CARRIERS[approval.kind](escrow, approval.arguments, actor, now)
    return approval
