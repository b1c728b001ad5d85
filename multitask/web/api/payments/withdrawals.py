"""`/payments/withdrawals/`: from the wallet to the bank."""

import uuid
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, Field

from multitask.payments.authorization import access
from multitask.payments.models import Withdrawal
from multitask.payments.payouts import withdrawal_cancellation, withdrawals
from multitask.payments.provider import DestinationKind
from multitask.payments.reads import waiting_payouts
from multitask.payments.reads.waiting_payouts import WaitingReason
from multitask.payments.states import WithdrawalState
from multitask.web.api import auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.shared import identifier
from multitask.web.api.schemas import (
    AmountIn,
    AmountOut,
    Body,
    CurrencyIn,
    CurrencyOut,
    Output,
    Page,
    amount_out,
    money,
)

router = Router(tags=["withdrawals"])


class WithdrawalIn(Body):
    """How much to withdraw, in the caller's default currency unless another is given."""

    amount: AmountIn
    currency: CurrencyIn | None = None


class PaidTo(Output):
    """The payout destination of a withdrawal, as it was when the withdrawal was asked for."""

    destination_id: uuid.UUID
    kind: DestinationKind
    bank_code: str
    issuer: str
    masked: Annotated[str, Field(description="What may be shown of its number.")]


class WithdrawalOut(Output):
    """A withdrawal that is under way, was paid, was cancelled, or failed with a reason.

    On a platform route `destination` is where it goes, and `waiting_reason` why it was not sent yet: until
    `waits_until`, until the staff has checked it (`awaits_review`), or until the staff has topped up the budget of
    payouts (`awaits_budget`).
    `can_be_cancelled` is true until its money has left or a cancellation was asked for; the provider may still answer
    that the money has left. Then `cancellation_refused_at` is set.
    """

    id: int
    withdrawal_id: uuid.UUID
    amount: AmountOut
    currency: CurrencyOut
    status: WithdrawalState
    stripe_payout_id: str
    created_at: datetime
    processed_at: datetime | None
    arrival_date: datetime | None
    failed_at: datetime | None
    failure_reason: str
    can_be_cancelled: bool
    cancellation_asked_at: datetime | None
    cancellation_refused_at: datetime | None
    cancelled_at: datetime | None
    made_at_provider: Annotated[bool, Field(description="Made at the payment provider, not by us.")]
    destination: Annotated[
        PaidTo | None, Field(description="Where it goes; null from a payout account at the provider.")
    ]
    waiting_reason: Annotated[WaitingReason | None, Field(description="Why it was not sent yet.")]
    waits_until: Annotated[datetime | None, Field(description="When that ends by itself, if it does.")]


class WithdrawalMessage(Output):
    """A withdrawal after something was done with it."""

    message: str
    withdrawal: WithdrawalOut


@router.get(
    "/withdrawals/",
    operation_id="withdrawals_list",
    response=responses({200: Page[WithdrawalOut]}),
)
def listed(request: HttpRequest, paging: PageQuery) -> Page[WithdrawalOut]:
    """List the caller's withdrawals, newest first."""
    visible = access.visible_withdrawals(auth.actor_of(request))
    found = waiting_payouts.with_payouts(visible).order_by("-pk")
    return pagination.page(request, paging, found, show)


@router.post(
    "/withdrawals/create/",
    operation_id="withdrawals_create",
    response=responses({201: WithdrawalMessage}, 429, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def create(request: HttpRequest, body: WithdrawalIn) -> HttpResponse:
    """Withdraw from the available balance, as a freelancer who can be paid: to the bank, or to the payout destination.

    In a currency of a platform route it goes to the caller's payout destination. During the destination's cool-down, or
    while the budget of payouts is short, the withdrawal waits: `waiting_reason` says so.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`).
    """
    auth.require_fresh_proof(request)
    user = auth.user_of(request)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        amount = money(body.amount, body.currency or user.default_currency)
        withdrawal = withdrawals.create(
            actor=auth.actor_of(request), amount=amount, now=timezone.now(), request_key=request_key
        )
        shown = show(withdrawal)
        message = "The money is on its way." if shown.waiting_reason is None else "The withdrawal waits to be sent."
        return 201, WithdrawalMessage(message=message, withdrawal=shown)

    return idempotent(request, endpoint="withdrawals/create", body=body, execute=execute)


@router.post(
    "/withdrawals/{withdrawal_id}/cancel/",
    operation_id="withdrawals_cancel",
    response=responses({200: WithdrawalMessage, 202: WithdrawalMessage}, 404, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def cancel(request: HttpRequest, withdrawal_id: str) -> HttpResponse:
    """Cancel a withdrawal of the caller whose money has not left; the money is available again.

    202 while the payment provider has not answered yet: the withdrawal shows the outcome. Once the money has left,
    409 `withdrawal_left`.
    """
    actor, found = auth.actor_of(request), identifier(withdrawal_id)

    def execute(_request_key: str) -> tuple[int, BaseModel]:
        withdrawal = withdrawal_cancellation.cancel(actor=actor, withdrawal_id=found, now=timezone.now())
        if withdrawal.state == WithdrawalState.CANCELLED.value:
            return 200, WithdrawalMessage(message="Cancelled. The money is available.", withdrawal=show(withdrawal))
        message = "The payment provider was asked to cancel it and has not answered yet."
        return 202, WithdrawalMessage(message=message, withdrawal=show(withdrawal))

    return idempotent(request, endpoint=f"withdrawals/{found}/cancel", body=None, execute=execute)


def show(withdrawal: Withdrawal) -> WithdrawalOut:
    """Make the answer that shows a withdrawal."""
    payout_id = withdrawal.provider_payout_id or ""
    waiting = waiting_payouts.of_withdrawal(withdrawal, timezone.now())
    return WithdrawalOut(
        id=withdrawal.pk,
        withdrawal_id=withdrawal.public_id,
        amount=amount_out(withdrawal.amount),
        currency=withdrawal.currency,
        status=WithdrawalState(withdrawal.state),
        stripe_payout_id=payout_id if withdrawal.provider == "stripe" else "",
        created_at=withdrawal.created_at,
        processed_at=withdrawal.processed_at,
        arrival_date=withdrawal.arrival_at,
        failed_at=withdrawal.failed_at,
        failure_reason=withdrawal.failure_reason,
        can_be_cancelled=withdrawal_cancellation.may_be_asked(withdrawal),
        cancellation_asked_at=withdrawal.cancellation_asked_at,
        cancellation_refused_at=withdrawal.cancellation_refused_at,
        cancelled_at=withdrawal.cancelled_at,
        made_at_provider=withdrawal.is_outside,
        destination=_paid_to(withdrawal),
        waiting_reason=None if waiting is None else waiting.reason,
        waits_until=None if waiting is None else waiting.until,
    )


def _paid_to(withdrawal: Withdrawal) -> PaidTo | None:
    found = waiting_payouts.destination_of(withdrawal)
    if found is None:
        return None
    return PaidTo(
        destination_id=found.public_id,
        kind=DestinationKind(found.kind),
        bank_code=found.bank_code,
        issuer=found.issuer,
        masked=found.masked,
    )
