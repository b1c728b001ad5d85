"""Refunds of which no search can tell whether the provider made them: finance decides, with a reason.

A provider that knows only the total refunded of a payment cannot say which refund that was, for example where somebody
refunded in its dashboard. Above the limit for one member of the staff a second person has to approve.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from multitask import database
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, ReferenceUsed, WrongState
from multitask.payments.escrow.refund_outcomes import CREATE_REFUND
from multitask.payments.models import Approval, Escrow, Operation, Refund
from multitask.payments.operations import engine, held_calls
from multitask.payments.provider import RefundState, RefundStatus, Rejected
from multitask.users import powers
from multitask.users.actor import Actor, Power

NOT_MADE: Final = "refund_not_made"


def _held() -> QuerySet[Operation]:
    return Operation.objects.filter(kind=CREATE_REFUND, hold=engine.OUTCOME_UNKNOWN)


def found() -> QuerySet[Refund]:
    """Select the refunds whose outcome nobody can tell."""
    return Refund.objects.filter(Exists(_held().filter(subject_id=OuterRef("pk"))))


def call_of(refund: Refund) -> Operation | None:
    """Return the call of a refund whose outcome nobody can tell, or None."""
    return _held().filter(subject_id=refund.pk).order_by("-sequence").first()


def was_paid(
    *, actor: Actor, refund_id: int, provider_refund_id: str, note: str, now: datetime, request_key: str = ""
) -> Refund | Approval:
    """Decide that the provider made a refund, as finance staff; its id there is required.

    Return the refund, or the approval that a second person has to give. Raises Forbidden, ProofNeeded, NotFound,
    WrongState or ReferenceUsed.
    """
    given = {"is_paid": True, "provider_refund_id": provider_refund_id.strip(), "note": note}
    return _decide(actor, refund_id, given, now, request_key)


def was_not_made(*, actor: Actor, refund_id: int, note: str, now: datetime, request_key: str = "") -> Refund | Approval:
    """Decide that the provider certainly did not make a refund, as finance staff: its money is back where it was.

    Return the refund, or the approval that a second person has to give. Raises Forbidden, ProofNeeded, NotFound or
    WrongState.
    """
    given = {"is_paid": False, "provider_refund_id": "", "note": note}
    return _decide(actor, refund_id, given, now, request_key)


@database.transactional
def _decide(actor: Actor, refund_id: int, given: dict[str, Any], now: datetime, request_key: str) -> Refund | Approval:
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff decides about refunds."))
    seen = Refund.objects.filter(pk=refund_id).first()
    if seen is None:
        raise NotFound("There is no such refund.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    arguments = {**given, "refund_id": seen.pk, "amount_minor": seen.amount_minor, "currency": seen.currency}
    _require_possible(seen, arguments)
    if approvals.is_large(escrow, seen.amount):
        return approvals.ask(
            approvals.DECIDE_REFUND, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    _apply(escrow, seen, arguments, actor, now)
    seen.refresh_from_db()
    return seen


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved decision. Raises WrongState if the outcome became known meanwhile."""
    refund = Refund.objects.get(pk=arguments["refund_id"])
    _require_possible(refund, arguments)
    _apply(escrow, refund, arguments, actor, now)


def _require_possible(refund: Refund, arguments: Mapping[str, Any]) -> None:
    if call_of(refund) is None:
        raise WrongState("The outcome of this refund is known.")
    if not str(arguments["note"]).strip():
        raise WrongState("A decision needs a reason.")
    ident = arguments["provider_refund_id"]
    if arguments["is_paid"] and not ident:
        raise WrongState("Give the provider's id of the refund.")
    others = Refund.objects.exclude(pk=refund.pk).filter(provider=refund.provider)
    if ident and others.filter(provider_refund_id=ident).exists():
        raise ReferenceUsed("The provider's id is that of another refund.")


def _apply(escrow: Escrow, refund: Refund, arguments: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Settle the call, and record who decided; the caller holds the escrow's lock."""
    call = call_of(refund)
    if call is None:
        raise WrongState("The outcome of this refund is known.")
    is_paid = bool(arguments["is_paid"])
    audit.record(
        "refund_found_paid" if is_paid else "refund_found_not_made",
        actor=actor,
        now=now,
        escrow=escrow,
        amount=refund.amount,
        note=arguments["note"],
        details={"refund": refund.pk, "provider_refund": arguments["provider_refund_id"]},
    )
    if not held_calls.settle(call, _outcome(refund, call, arguments), now=now):
        raise WrongState("The outcome of this refund became known at this moment.")


def _outcome(refund: Refund, call: Operation, arguments: Mapping[str, Any]) -> RefundState | Rejected:
    if not arguments["is_paid"]:
        return Rejected(NOT_MADE, "The payment provider did not make the refund.")
    return RefundState(
        id=arguments["provider_refund_id"],
        status=RefundStatus.SUCCEEDED,
        amount=refund.amount,
        payment_id=refund.payment.provider_payment_id or "",
        reference=call.reference,
    )
