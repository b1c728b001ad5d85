"""`/payments/refunds/`: refund requests and their answers."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, Field

from multitask.payments.authorization import access
from multitask.payments.escrow import refunds
from multitask.payments.models import Approval, Refund
from multitask.payments.states import RefundState
from multitask.users.actor import Actor
from multitask.web.api import auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.shared import identifier
from multitask.web.api.schemas import (
    NOTHING,
    AmountOut,
    Body,
    CurrencyOut,
    Empty,
    Lines,
    Output,
    Page,
    amount_out,
)

router = Router(tags=["refunds"])


class RefundOut(Output):
    """A refund, or the request for one."""

    id: int
    refund_id: uuid.UUID
    escrow: int
    amount: AmountOut
    currency: CurrencyOut
    status: RefundState
    reason: str
    note: str
    answer_by: datetime | None
    answer_note: str
    source: Annotated[Literal["escrow", "unapplied", "released"], Field(description="Where its money was taken from.")]
    made_at_provider: Annotated[bool, Field(description="Made at the payment provider, not by us.")]
    paid_by_bank: Annotated[bool, Field(description="Paid by bank transfer, after a card did not take it.")]
    stripe_refund_id: str
    created_at: datetime
    decided_at: datetime | None
    processed_at: datetime | None
    failure_reason: str


class AnswerIn(Body):
    """A note on the answer to a request; both sides read it."""

    note: Annotated[Lines, Field(max_length=2000)] = ""


WITHOUT_WORDS = AnswerIn()


@router.get("/refunds/", operation_id="refunds_list", response=responses({200: Page[RefundOut]}))
def listed(request: HttpRequest, paging: PageQuery) -> Page[RefundOut]:
    """List the refunds of the caller's escrows, newest first."""
    actor = auth.actor_of(request)
    found = Refund.objects.filter(escrow__in=access.visible_escrows(actor)).select_related("escrow").order_by("-pk")
    return pagination.page(request, paging, found, lambda refund: show_refund(refund, actor))


@router.get("/refunds/{refund_id}/", operation_id="refunds_get", response=responses({200: RefundOut}, 404))
def get(request: HttpRequest, refund_id: str) -> RefundOut:
    """Show one refund."""
    actor = auth.actor_of(request)
    return show_refund(access.refund(actor, identifier(refund_id)), actor)


def _answering(name: str, *, accept: bool, summary: str) -> None:
    """Add an operation that answers a request; a large one that staff accepts waits for a second person (202)."""

    def answer(request: HttpRequest, refund_id: str, body: AnswerIn = WITHOUT_WORDS) -> HttpResponse:
        actor, found = auth.actor_of(request), identifier(refund_id)

        def execute(request_key: str) -> tuple[int, BaseModel]:
            answered = refunds.answer(
                actor=actor,
                refund_id=found,
                accept=accept,
                note=body.note,
                now=timezone.now(),
                request_key=request_key,
            )
            if isinstance(answered, Approval):
                return 202, show_refund(access.refund(actor, found), actor)
            return 200, show_refund(answered, actor)

        return idempotent(request, endpoint=f"refunds/{found}/{name}", body=body, execute=execute)

    router.post(
        f"/refunds/{{refund_id}}/{name}/",
        operation_id=f"refunds_{name}",
        summary=summary,
        response=responses(
            {200: RefundOut, 202: RefundOut} if accept else {200: RefundOut}, 404, body=True, moves_money=True
        ),
        openapi_extra=IDEMPOTENCY_KEY,
    )(answer)


_answering("accept", accept=True, summary="Agree to a refund, as the freelancer or as finance staff")
_answering(
    "refuse", accept=False, summary="Refuse a refund, as the freelancer or as finance staff, which opens a dispute"
)


@router.post(
    "/refunds/{refund_id}/withdraw/",
    operation_id="refunds_withdraw",
    response=responses({200: RefundOut}, 404, 409, body=True),
)
def withdraw(request: HttpRequest, refund_id: str, body: Empty = NOTHING) -> RefundOut:
    """Withdraw the caller's own refund request, as the client."""
    actor: Actor = auth.actor_of(request)
    return show_refund(refunds.withdraw(actor=actor, refund_id=identifier(refund_id), now=timezone.now()), actor)


def show_refund(refund: Refund, actor: Actor) -> RefundOut:
    """Make the answer that shows a refund. Why the client's card took none is not shown to the freelancer."""
    is_hidden = actor.is_user(refund.escrow.freelancer_id)
    return RefundOut(
        id=refund.pk,
        refund_id=refund.public_id,
        escrow=refund.escrow_id,
        amount=amount_out(refund.amount),
        currency=refund.currency,
        status=RefundState(refund.state),
        reason=refund.reason,
        note=refund.note,
        answer_by=refund.answer_by_at,
        answer_note=refund.answer_note,
        source=refund.source,
        made_at_provider=refund.is_outside,
        paid_by_bank=refund.is_by_bank,
        stripe_refund_id=(refund.provider_refund_id or "") if refund.provider == "stripe" else "",
        created_at=refund.created_at,
        decided_at=refund.decided_at,
        processed_at=refund.processed_at,
        failure_reason="" if is_hidden else refund.failure_reason,
    )
