"""`/payments/escrow/`: reading an escrow, releasing it, refunding it."""

import uuid
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, Field

from multitask import database
from multitask.marketplace import references
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.books import audit
from multitask.payments.escrow import disputes, refunds, releases
from multitask.payments.models import Approval, AuditEvent, Refund
from multitask.payments.reads import escrows
from multitask.payments.reads.escrows import EscrowView
from multitask.payments.states import EscrowState, RefundState
from multitask.payments.terms import percentage
from multitask.users.actor import STAFF_ROLES, Actor, Role
from multitask.web.api import auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.disputes import DisputeOut, show_dispute
from multitask.web.api.payments.refunds import RefundOut, show_refund
from multitask.web.api.payments.shared import identifier
from multitask.web.api.schemas import (
    AmountIn,
    AmountOut,
    Body,
    CurrencyOut,
    Line,
    Lines,
    Output,
    Page,
    amount_out,
    money,
)

router = Router(tags=["escrow"])


class TimelineRow(Output):
    """One thing that happened to the escrow."""

    event: str
    at: datetime
    actor: str
    amount: AmountOut | None
    note: str


class EscrowOut(Output):
    """An escrow as its two sides and the staff see it.

    `platform_fee_amount` and `freelancer_amount` are the agreed shares of `total_amount`. What was really released and
    charged differs after a refund or a settled dispute.
    """

    id: int
    escrow_id: uuid.UUID
    task: int | None
    task_title: str
    client: int
    client_username: str
    freelancer: int
    freelancer_username: str
    total_amount: AmountOut
    platform_fee_percentage: str
    platform_fee_amount: Annotated[AmountOut, Field(description="The agreed fee on the whole of total_amount.")]
    freelancer_amount: Annotated[AmountOut, Field(description="total_amount less platform_fee_amount.")]
    released_amount: Annotated[
        AmountOut, Field(description="What left escrow by release, the fee included; zero before.")
    ]
    platform_fee_charged: Annotated[AmountOut, Field(description="The fee in released_amount.")]
    freelancer_received: Annotated[AmountOut, Field(description="released_amount less platform_fee_charged.")]
    refunded_amount: Annotated[AmountOut, Field(description="What the client has got back.")]
    currency: CurrencyOut
    status: EscrowState
    provider: str
    stripe_payment_intent_id: str
    created_at: datetime
    funded_at: datetime | None
    released_at: datetime | None
    refunded_at: datetime | None
    auto_release_at: datetime | None
    disputed_at: datetime | None
    dispute_reason: str
    timeline: list[TimelineRow]
    allowed_actions: list[str]


class EscrowMessage(Output):
    """An escrow after something was done with it."""

    message: str
    escrow: EscrowOut


class ReleaseIn(Body):
    """A release; staff gives its reason in the note."""

    note: Annotated[Lines, Field(max_length=2000)] = ""


WITHOUT_NOTE = ReleaseIn()


class RefundIn(Body):
    """A refund or a request for one; everything that is left unless an amount is given."""

    reason: Annotated[Line, Field(min_length=1, max_length=100)]
    amount: AmountIn | None = None
    note: Annotated[Lines, Field(max_length=2000)] = ""


class RefundMessage(Output):
    """The result of a refund; `refund` is null while a second person has to approve it."""

    message: str
    escrow: EscrowOut
    refund: RefundOut | None


class DisputeIn(Body):
    """Why the two sides do not agree."""

    reason: Annotated[Lines, Field(min_length=1, max_length=2000)]


@router.get("/escrow/", operation_id="escrow_list", response=responses({200: Page[EscrowOut]}))
def listed(request: HttpRequest, paging: PageQuery) -> Page[EscrowOut]:
    """List the caller's escrows, newest first; for staff all."""
    actor = auth.actor_of(request)
    found, count = escrows.page(actor, offset=paging.offset, size=paging.size)
    return pagination.of(request, paging, [show(view, actor) for view in found], count=count)


@router.get("/escrow/{escrow_id}/", operation_id="escrow_get", response=responses({200: EscrowOut}, 404))
def get(request: HttpRequest, escrow_id: str) -> EscrowOut:
    """Show an escrow to one of its sides or to staff."""
    actor = auth.actor_of(request)
    return _read(actor, identifier(escrow_id))


@router.post(
    "/escrow/{escrow_id}/release/",
    operation_id="escrow_release",
    response=responses({200: EscrowMessage, 202: EscrowMessage}, 404, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def release(request: HttpRequest, escrow_id: str, body: ReleaseIn = WITHOUT_NOTE) -> HttpResponse:
    """Release the money to the freelancer: as the client once the task is completed, or as finance staff.

    A large release by staff waits for a second person (202).
    """
    actor, found = auth.actor_of(request), identifier(escrow_id)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        held = releases.release(
            actor=actor, escrow_id=found, now=timezone.now(), request_key=request_key, note=body.note
        )
        if isinstance(held, Approval):
            message = "A second person has to approve a release of this size."
            return 202, EscrowMessage(message=message, escrow=_read(actor, found))
        message = f"Released. {held.freelancer.username} can withdraw the money once it has settled."
        return 200, EscrowMessage(message=message, escrow=show(escrows.released(actor, held), actor))

    return idempotent(request, endpoint=f"escrow/{found}/release", body=body, execute=execute)


@router.post(
    "/escrow/{escrow_id}/refund/",
    operation_id="escrow_refund",
    response=responses({200: RefundMessage, 202: RefundMessage}, 404, 429, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def refund(request: HttpRequest, escrow_id: str, body: RefundIn) -> HttpResponse:
    """Refund the client, or ask the freelancer to agree to it, whichever the escrow allows the caller."""
    actor, found = auth.actor_of(request), identifier(escrow_id)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        held = access.escrow(actor, found)
        amount = None if body.amount is None else money(body.amount, held.currency)
        made = refunds.ask_or_refund(
            actor=actor,
            escrow_id=found,
            amount=amount,
            reason=body.reason,
            note=body.note,
            now=timezone.now(),
            request_key=request_key,
        )
        return _refund_answer(actor, found, made)

    return idempotent(request, endpoint=f"escrow/{found}/refund", body=body, execute=execute)


@database.snapshot
def _refund_answer(actor: Actor, escrow_id: access.Identifier, made: Refund | Approval) -> tuple[int, RefundMessage]:
    escrow = _read(actor, escrow_id)
    if isinstance(made, Approval):
        message = "A second person has to approve a refund of this size."
        return 202, RefundMessage(message=message, escrow=escrow, refund=None)
    refund = show_refund(access.refund(actor, made.pk), actor)
    if made.state == RefundState.REQUESTED.value:
        message = "The freelancer was asked to agree to the refund."
        return 202, RefundMessage(message=message, escrow=escrow, refund=refund)
    message = "The refund is on its way to the client's card."
    return 200, RefundMessage(message=message, escrow=escrow, refund=refund)


@router.post(
    "/escrow/{escrow_id}/dispute/",
    operation_id="escrow_dispute",
    response=responses({201: DisputeOut}, 404, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def dispute(request: HttpRequest, escrow_id: str, body: DisputeIn) -> HttpResponse:
    """Open a dispute, as one of the two sides; the money stays where it is until it is settled."""
    actor, found = auth.actor_of(request), identifier(escrow_id)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        opened = disputes.open_dispute(
            actor=actor,
            escrow_id=found,
            reason=body.reason,
            now=timezone.now(),
            request_key=request_key,
        )
        return 201, show_dispute(opened)

    return idempotent(request, endpoint=f"escrow/{found}/dispute", body=body, execute=execute)


def _read(actor: Actor, escrow_id: access.Identifier) -> EscrowOut:
    return show(escrows.one(actor, escrow_id), actor)


def show(view: EscrowView, actor: Actor) -> EscrowOut:
    """Make the answer that shows an escrow to this actor."""
    held = view.escrow
    currency = held.currency
    return EscrowOut(
        id=held.pk,
        escrow_id=held.public_id,
        task=references.task_id(held.agreement),
        task_title=held.agreement.title,
        client=held.client_id,
        client_username=held.client.username,
        freelancer=held.freelancer_id,
        freelancer_username=held.freelancer.username,
        total_amount=amount_out(held.total),
        platform_fee_percentage=percentage(held.fee_basis_points),
        platform_fee_amount=amount_out(Money(held.fee_minor, currency)),
        freelancer_amount=amount_out(Money(held.freelancer_minor, currency)),
        released_amount=amount_out(Money(held.released_minor, currency)),
        platform_fee_charged=amount_out(Money(held.released_fee_minor, currency)),
        freelancer_received=amount_out(Money(held.released_minor - held.released_fee_minor, currency)),
        refunded_amount=amount_out(Money(held.refunded_minor, currency)),
        currency=currency,
        status=EscrowState(held.state),
        provider=held.provider,
        stripe_payment_intent_id=held.provider_payment_id if held.provider == "stripe" else "",
        created_at=held.created_at,
        funded_at=held.funded_at,
        released_at=held.released_at,
        refunded_at=held.refunded_at,
        auto_release_at=held.auto_release_at,
        disputed_at=held.disputed_at,
        dispute_reason=held.dispute_reason,
        timeline=[_timeline_row(event, actor) for event in view.timeline if audit.is_visible(actor, event)],
        allowed_actions=view.allowed_actions,
    )


def _timeline_row(event: AuditEvent, actor: Actor) -> TimelineRow:
    by_staff = event.actor_role in {role.value for role in STAFF_ROLES}
    hidden = by_staff and not actor.is_staff
    amount = None
    if event.amount_minor is not None:
        amount = amount_out(Money(event.amount_minor, event.currency))
    return TimelineRow(
        event=event.event,
        at=event.at,
        actor="staff" if hidden else _spoken(event),
        amount=amount,
        note=audit.visible_note(actor, event),
    )


def _spoken(event: AuditEvent) -> str:
    return "system" if event.actor_role == Role.SYSTEM.value else event.actor_label
