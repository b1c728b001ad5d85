"""`/payments/withdrawals/`: from the wallet to the bank."""

import uuid
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel

from multitask.payments.authorization import access
from multitask.payments.models import Withdrawal
from multitask.payments.payouts import withdrawals
from multitask.payments.states import WithdrawalState
from multitask.web.api import auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
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


class WithdrawalOut(Output):
    """A withdrawal that is under way, was paid, or failed with a reason."""

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


class WithdrawalMessage(Output):
    """A requested withdrawal."""

    message: str
    withdrawal: WithdrawalOut


@router.get(
    "/withdrawals/",
    operation_id="withdrawals_list",
    response=responses({200: Page[WithdrawalOut]}),
)
def listed(request: HttpRequest, paging: PageQuery) -> Page[WithdrawalOut]:
    """List the caller's withdrawals, newest first."""
    found = access.visible_withdrawals(auth.actor_of(request)).order_by("-pk")
    return pagination.page(request, paging, found, show)


@router.post(
    "/withdrawals/create/",
    operation_id="withdrawals_create",
    response=responses({201: WithdrawalMessage}, 429, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def create(request: HttpRequest, body: WithdrawalIn) -> HttpResponse:
    """Withdraw from the available balance to the caller's bank, as an onboarded freelancer.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`).
    """
    auth.require_fresh_proof(request)
    user = auth.user_of(request)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        amount = money(body.amount, body.currency or user.default_currency)
        withdrawal = withdrawals.create(
            actor=auth.actor_of(request), amount=amount, now=timezone.now(), request_key=request_key
        )
        return 201, WithdrawalMessage(message="The money is on its way.", withdrawal=show(withdrawal))

    return idempotent(request, endpoint="withdrawals/create", body=body, execute=execute)


def show(withdrawal: Withdrawal) -> WithdrawalOut:
    """Make the answer that shows a withdrawal."""
    payout_id = withdrawal.provider_payout_id or ""
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
    )
