"""`/payments/disputes/` and `/payments/approvals/`: decisions of the staff."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, Field

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.escrow import disputes
from multitask.payments.models import Approval, Dispute
from multitask.payments.states import DisputeState
from multitask.web.api import auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.shared import identifier
from multitask.web.api.schemas import (
    AmountIn,
    AmountOut,
    Body,
    CurrencyOut,
    Id,
    Lines,
    Output,
    Page,
    amount_out,
    money,
)

router = Router(tags=["disputes"])


class DisputeOut(Output):
    """A dispute between the two sides of an escrow."""

    id: int
    dispute_id: uuid.UUID
    escrow: int
    status: DisputeState
    reason: str
    opened_at: datetime
    settled_at: datetime | None
    client_amount: AmountOut | None
    freelancer_amount: AmountOut | None
    currency: CurrencyOut
    settlement_note: str


class SettleIn(Body):
    """How the money in escrow is split; the two amounts add up to it. The fee is taken from the freelancer's."""

    client_amount: AmountIn
    freelancer_amount: AmountIn
    note: Annotated[Lines, Field(min_length=1, max_length=2000)]


class ApprovalOut(Output):
    """A large decision that waits for a second person or was decided."""

    id: int
    kind: str
    escrow: int | None
    subject: str
    arguments: dict[str, Any]
    requested_by: str
    requested_at: datetime
    decided_at: datetime | None
    approved: bool | None


class DecisionIn(Body):
    """The second person's answer."""

    approve: bool


@router.get("/disputes/", operation_id="disputes_list", response=responses({200: Page[DisputeOut]}))
def listed(request: HttpRequest, paging: PageQuery) -> Page[DisputeOut]:
    """List the disputes of the caller's escrows, newest first; for staff all."""
    escrows = access.visible_escrows(auth.actor_of(request))
    found = Dispute.objects.filter(escrow__in=escrows).select_related("escrow").order_by("-pk")
    return pagination.page(request, paging, found, show_dispute)


@router.get("/disputes/{dispute_id}/", operation_id="disputes_get", response=responses({200: DisputeOut}, 404))
def get(request: HttpRequest, dispute_id: str) -> DisputeOut:
    """Show one dispute."""
    return show_dispute(access.dispute(auth.actor_of(request), identifier(dispute_id)))


@router.post(
    "/disputes/{dispute_id}/settle/",
    operation_id="disputes_settle",
    response=responses({200: DisputeOut, 202: ApprovalOut}, 404, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def settle(request: HttpRequest, dispute_id: str, body: SettleIn) -> HttpResponse:
    """Settle a dispute with a split, as finance staff; a large one waits for a second person."""
    actor, found = auth.actor_of(request), identifier(dispute_id)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        currency = access.dispute(actor, found).escrow.currency
        settled = disputes.settle(
            actor=actor,
            dispute_id=found,
            client_amount=share(body.client_amount, currency, "client_amount"),
            freelancer_amount=share(body.freelancer_amount, currency, "freelancer_amount"),
            note=body.note,
            now=timezone.now(),
            request_key=request_key,
        )
        return (202, show_approval(settled)) if isinstance(settled, Approval) else (200, show_dispute(settled))

    return idempotent(request, endpoint=f"disputes/{found}/settle", body=body, execute=execute)


def share(amount: str, currency: str, field: str) -> Money:
    """Read a share, which unlike other amounts may be zero."""
    return money(amount, currency, field=field, minimum_minor=0)


@router.get("/approvals/", operation_id="approvals_list", response=responses({200: Page[ApprovalOut]}))
def waiting(request: HttpRequest, paging: PageQuery) -> Page[ApprovalOut]:
    """List the large decisions of the staff, newest first; for staff alone."""
    found = approvals.visible(auth.actor_of(request)).select_related("requested_by").order_by("-pk")
    return pagination.page(request, paging, found, show_approval)


@router.post(
    "/approvals/{int:approval_id}/decide/",
    operation_id="approvals_decide",
    response=responses({200: ApprovalOut}, 404, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def decide(request: HttpRequest, approval_id: Id, body: DecisionIn) -> HttpResponse:
    """Approve or reject what another member of the finance staff asked for."""
    actor = auth.actor_of(request)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        decided = approvals.decide(
            actor=actor,
            approval_id=approval_id,
            approve=body.approve,
            now=timezone.now(),
            request_key=request_key,
        )
        return 200, show_approval(decided)

    return idempotent(request, endpoint=f"approvals/{approval_id}/decide", body=body, execute=execute)


def show_dispute(dispute: Dispute) -> DisputeOut:
    """Make the answer that shows a dispute."""
    currency = dispute.escrow.currency
    return DisputeOut(
        id=dispute.pk,
        dispute_id=dispute.public_id,
        escrow=dispute.escrow_id,
        status=DisputeState(dispute.state),
        reason=dispute.reason,
        opened_at=dispute.opened_at,
        settled_at=dispute.settled_at,
        client_amount=_amount(dispute.client_minor, currency),
        freelancer_amount=_amount(dispute.freelancer_minor, currency),
        currency=currency,
        settlement_note=dispute.settlement_note,
    )


def _amount(amount_minor: int | None, currency: str) -> str | None:
    return None if amount_minor is None else amount_out(Money(amount_minor, currency))


def show_approval(approval: Approval) -> ApprovalOut:
    """Make the answer that shows an approval."""
    return ApprovalOut(
        id=approval.pk,
        kind=approval.kind,
        escrow=approval.escrow_id,
        subject=approval.subject,
        arguments=approval.arguments,
        requested_by=approval.requested_by.username,
        requested_at=approval.requested_at,
        decided_at=approval.decided_at,
        approved=approval.approved,
    )
