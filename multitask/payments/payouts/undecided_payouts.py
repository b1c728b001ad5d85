"""Payouts from the budget of which no search can tell whether the provider made them: finance decides, with a reason.

Above the limit for one member of the staff a second person has to approve. Whoever decides has looked at the provider's
dashboard, or has asked the provider: money that is made available again and was paid all the same is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, ReferenceUsed, WrongState
from multitask.payments.models import Approval, Disbursement, Operation
from multitask.payments.operations import direct_calls, engine, held_calls
from multitask.payments.payouts import lost_answers
from multitask.payments.provider import PayoutState, PayoutStatus, Rejected
from multitask.users import powers
from multitask.users.actor import Actor, Power

KINDS: Final = lost_answers.KINDS
NOT_MADE: Final = lost_answers.NOT_MADE
_WITHOUT_EFFECT: Final = frozenset({PayoutStatus.FAILED, PayoutStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the provider charged for a payout, if it is known."""

    fee: Money
    tax: Money


def held() -> QuerySet[Operation]:
    """Select the calls of payouts whose outcome nobody can tell."""
    return Operation.objects.filter(kind__in=KINDS, hold=engine.OUTCOME_UNKNOWN)


def found() -> QuerySet[Disbursement]:
    """Select the payouts whose outcome nobody can tell."""
    return Disbursement.objects.filter(Exists(held().filter(subject_id=OuterRef("pk"))), ended_at=None)


def call_of(disbursement: Disbursement) -> Operation | None:
    """Return the call of a payout whose outcome nobody can tell, or None."""
    return held().filter(subject_id=disbursement.pk).order_by("-sequence").first()


def is_large(amount: Money) -> bool:
    """Return whether a second person has to approve."""
    return amount.amount_minor > settings.SECOND_PERSON_ABOVE_MINOR


def was_paid(
    *,
    actor: Actor,
    disbursement_id: int,
    provider_payout_id: str,
    note: str,
    now: datetime,
    costs: Costs | None = None,
    request_key: str = "",
) -> Disbursement | Approval:
    """Decide that the provider made a payout, as finance staff; its id there is required.

    Return the payout, or the approval that a second person has to give. Raises Forbidden, ProofNeeded, NotFound,
    WrongState or ReferenceUsed.
    """
    arguments: dict[str, Any] = {"is_paid": True, "provider_payout_id": provider_payout_id.strip(), "note": note}
    if costs is not None:
        arguments |= {"fee_minor": costs.fee.amount_minor, "tax_minor": costs.tax.amount_minor}
    return _decide(actor, disbursement_id, arguments, now, request_key)


def was_not_made(
    *, actor: Actor, disbursement_id: int, note: str, now: datetime, request_key: str = ""
) -> Disbursement | Approval:
    """Decide that the provider certainly did not make a payout, as finance staff: its money is available again.

    Return the payout, or the approval that a second person has to give. The provider is asked once more. Raises
    Forbidden, ProofNeeded, NotFound, WrongState, also if the provider lists the payout, or ProviderUnavailable.
    """
    _require_power(actor)
    _require_not_listed(disbursement_id)
    given = {"is_paid": False, "provider_payout_id": "", "note": note}
    return _decide(actor, disbursement_id, given, now, request_key)


def _require_power(actor: Actor) -> None:
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff decides about payouts."))


def _require_not_listed(disbursement_id: int) -> None:
    """Require that the provider does not list a payout whose answer was lost. Calls it, outside any transaction."""
    rows = Disbursement.objects.select_related("destination")
    disbursement = rows.filter(pk=disbursement_id, provider_payout_id=None).first()
    if disbursement is None or call_of(disbursement) is None:
        return
    with direct_calls.answered():
        state = lost_answers.look_for(disbursement)
    if state is not None and state.amount == disbursement.amount and state.status not in _WITHOUT_EFFECT:
        raise WrongState(
            f"The payment provider lists this payout: its id is {state.id}, its state {state.status.value}. "
            "Look it up again: its state is applied then."
        )


@database.transactional
def _decide(
    actor: Actor, disbursement_id: int, given: dict[str, Any], now: datetime, request_key: str
) -> Disbursement | Approval:
    _require_power(actor)
    disbursement = Disbursement.objects.filter(pk=disbursement_id).first()
    if disbursement is None:
        raise NotFound("There is no such payout.")
    subject = f"disbursement:{disbursement.pk}"
    earlier = approvals.asked_about(subject, request_key)
    if earlier is not None:
        return earlier
    arguments = {
        **given,
        "disbursement_id": disbursement.pk,
        "amount_minor": disbursement.amount_minor,
        "currency": disbursement.currency,
    }
    _require_possible(actor, disbursement, arguments)
    if is_large(disbursement.amount):
        return approvals.ask_about(
            approvals.DECIDE_PAYOUT, subject, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    _apply(disbursement, arguments, actor, now)
    return disbursement


def carry_out(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved decision. Raises WrongState if it was decided in another way meanwhile."""
    disbursement = Disbursement.objects.get(pk=arguments["disbursement_id"])
    _require_possible(actor, disbursement, arguments)
    _apply(disbursement, arguments, actor, now)


def _require_possible(actor: Actor, disbursement: Disbursement, arguments: Mapping[str, Any]) -> None:
    call = call_of(disbursement)
    if call is None:
        raise WrongState("The outcome of this payout is known.")
    if actor.is_user(call.user_id):
        raise Forbidden("You cannot decide about a payout to yourself.")
    if not str(arguments["note"]).strip():
        raise WrongState("A decision needs a reason.")
    payout_id = arguments["provider_payout_id"]
    if arguments["is_paid"] and not payout_id:
        raise WrongState("Give the provider's id of the payout.")
    others = Disbursement.objects.exclude(pk=disbursement.pk).filter(provider=disbursement.provider)
    if payout_id and others.filter(provider_payout_id=payout_id).exists():
        raise ReferenceUsed("The provider's id is that of another payout.")


def _apply(disbursement: Disbursement, arguments: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Settle the call, and record who decided."""
    call = call_of(disbursement)
    if call is None:
        raise WrongState("The outcome of this payout is known.")
    event = "payout_found_paid" if arguments["is_paid"] else "payout_found_not_made"
    audit.record(
        event,
        actor=actor,
        now=now,
        escrow=call.escrow,
        withdrawal=disbursement.withdrawal,
        user_id=call.user_id,
        amount=disbursement.amount,
        note=arguments["note"],
        details={"payout": str(disbursement), "provider_payout": arguments["provider_payout_id"]},
    )
    if not held_calls.settle(call, _outcome(disbursement, arguments), now=now):
        raise WrongState("The outcome of this payout became known at this moment.")
    disbursement.refresh_from_db()


def _outcome(disbursement: Disbursement, arguments: Mapping[str, Any]) -> PayoutState | Rejected:
    if not arguments["is_paid"]:
        return Rejected(NOT_MADE, "The payment provider did not make the payout.")
    fee, tax = arguments.get("fee_minor"), arguments.get("tax_minor")
    currency = disbursement.currency
    return PayoutState(
        id=arguments["provider_payout_id"],
        status=PayoutStatus.PAID,
        amount=disbursement.amount,
        account_id="",
        reference=str(disbursement.reference),
        fee=None if fee is None else Money(fee, currency),
        tax=None if tax is None else Money(tax, currency),
    )
