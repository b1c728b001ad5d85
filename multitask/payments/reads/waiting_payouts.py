"""Why a payout of a platform route is not with its payee: the destination's cool-down, a check, or a short budget."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet

from multitask.payments.models import Disbursement, PayoutDestination, Withdrawal
from multitask.payments.operations import engine, routes
from multitask.payments.payouts import budget, destinations, identity
from multitask.payments.payouts.destinations import MissingReason
from multitask.payments.provider import RouteKind
from multitask.payments.states import IdentityState

# The most payouts that a wallet explains one by one; the rest is one amount.
MOST: Final = 100


class WaitingReason(StrEnum):
    """Why a withdrawal was not sent yet, or is not decided. The values are part of the API."""

    DESTINATION_COOLING_DOWN = "destination_cooling_down"  # the destination is new; the withdrawal leaves on `until`
    AWAITS_REVIEW = "awaits_review"  # the staff checks it before it leaves
    AWAITS_BUDGET = "awaits_budget"  # the staff has to top up the budget of payouts
    OUTCOME_UNKNOWN = "outcome_unknown"  # the staff has to find out whether the provider paid it


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a withdrawal waits; `until` is when that ends by itself, if it does."""

    reason: WaitingReason
    until: datetime | None = None


def is_on_platform(currency: str) -> bool:
    """Return whether withdrawals in a currency are paid from the platform's budget. No statement."""
    route = routes.find(currency)
    return route is not None and route.kind is RouteKind.PLATFORM


class WithheldReason(StrEnum):
    """Why a payout must not be sent, which only the staff sees."""

    IDENTITY_MISSING = "identity_missing"
    IDENTITY_UNCONFIRMED = "identity_unconfirmed"
    IDENTITY_REJECTED = "identity_rejected"
    USER_CLOSED = "user_closed"
    DESTINATION_REMOVED = "destination_removed"


_BY_IDENTITY: Final = {
    None: WithheldReason.IDENTITY_MISSING,
    IdentityState.SUBMITTED: WithheldReason.IDENTITY_UNCONFIRMED,
    IdentityState.REJECTED: WithheldReason.IDENTITY_REJECTED,
}


def with_payouts(rows: QuerySet[Withdrawal]) -> QuerySet[Withdrawal]:
    """Read with withdrawals what `of_withdrawal` asks, so that it takes no statement of its own."""
    payable = Disbursement.objects.filter(budget.may_be_paid(), withdrawal=OuterRef("pk"))
    return rows.select_related("disbursement__destination").annotate(is_payable=Exists(payable))


def may_leave(disbursement_id: int) -> bool:
    """Return whether nothing forbids a payout, but perhaps for now the budget. One statement."""
    return Disbursement.objects.filter(budget.may_be_paid(), pk=disbursement_id).exists()


def withheld_because(disbursement: Disbursement, now: datetime) -> WithheldReason | None:
    """Return why a payout that could leave is withheld, for the staff; None if it is not. At most four statements."""
    if not budget.withheld(now=now).filter(pk=disbursement.pk).exists():
        return None
    payee = disbursement.destination.user
    if not payee.is_active:
        return WithheldReason.USER_CLOSED
    state = identity.state_of(payee.pk)
    is_refund = disbursement.refund_id is not None
    return (
        WithheldReason.DESTINATION_REMOVED if is_refund else _BY_IDENTITY.get(state, WithheldReason.DESTINATION_REMOVED)
    )


def disbursement_of(withdrawal: Withdrawal) -> Disbursement | None:
    """Return the payout from the budget that a withdrawal is, with `select_related` without a statement."""
    found: Disbursement | None = getattr(withdrawal, "disbursement", None) if withdrawal.account_id is None else None
    return found


def destination_of(withdrawal: Withdrawal) -> PayoutDestination | None:
    """Return the destination to which a withdrawal goes, None for one from an account at the provider."""
    found = disbursement_of(withdrawal)
    return None if found is None else found.destination


def of_withdrawal(withdrawal: Withdrawal, now: datetime) -> Waiting | None:
    """Return why a withdrawal was not sent yet; None once it was, or if it never goes by the budget."""
    found = disbursement_of(withdrawal)
    return None if found is None else of(found, now, payable=getattr(withdrawal, "is_payable", None))


def of(disbursement: Disbursement, now: datetime, *, payable: bool | None = None) -> Waiting | None:
    """Return why a payout was not sent yet; None once it may have been sent, or has ended.

    `payable` is whether nothing forbids it, as `with_payouts` or `open_payouts` has read it; else one statement asks.
    """
    if disbursement.allotted_at is not None or disbursement.ended_at is not None:
        return None
    if disbursement.usable_from > now:
        return Waiting(WaitingReason.DESTINATION_COOLING_DOWN, disbursement.usable_from)
    known = getattr(disbursement, "is_payable", None) if payable is None else payable
    if not (may_leave(disbursement.pk) if known is None else known):
        return Waiting(WaitingReason.AWAITS_REVIEW)
    return Waiting(WaitingReason.AWAITS_BUDGET)


def in_detail(withdrawal: Withdrawal, now: datetime) -> Waiting | None:
    """Return why a withdrawal waits, also where nobody knows whether it was paid. At most three statements."""
    found = disbursement_of(withdrawal)
    if found is None or found.ended_at is not None:
        return None
    if found.allotted_at is not None:
        call = engine.latest(budget.DISBURSE, found.pk)
        is_unknown = call is not None and call.hold == engine.OUTCOME_UNKNOWN
        return Waiting(WaitingReason.OUTCOME_UNKNOWN) if is_unknown else None
    return of(found, now)


def open_payouts(user_id: int) -> list[Disbursement]:
    """Return a payee's payouts that have not ended, oldest first, some of very many. One statement.

    Each has `is_payable`, as `of` takes it.
    """
    payable = Disbursement.objects.filter(budget.may_be_paid(), pk=OuterRef("pk"))
    rows = Disbursement.objects.filter(withdrawal__user_id=user_id, ended_at=None)
    return list(rows.annotate(is_payable=Exists(payable)).order_by("pk")[:MOST])


def first_missing(user_id: int, currency: str, now: datetime) -> MissingReason | None:
    """Return what a payee has to do before anything can be withdrawn; None if nothing. Two statements.

    A destination in its cool-down takes withdrawals, which wait.
    """
    for found in destinations.missing(user_id=user_id, currency=currency, now=now):
        if found.reason is not MissingReason.DESTINATION_COOLING_DOWN:
            return found.reason
    return None
