"""`/payments/escrow/`: reading an escrow, releasing it, refunding it."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, Field

from multitask import database
from multitask.marketplace import references
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.books import audit
from multitask.payments.escrow import disputes, refund_ways, releases
from multitask.payments.escrow.refund_ways import RefundWay
from multitask.payments.losses import late_refunds
from multitask.payments.models import Approval, AuditEvent, Chargeback, Escrow, Refund
from multitask.payments.provider import ChargebackStatus
from multitask.payments.reads import escrow_detail, escrows
from multitask.payments.reads.escrows import EscrowView
from multitask.payments.states import HOLDING_ESCROWS, EscrowState, RefundState
from multitask.payments.terms import percentage
from multitask.users.actor import STAFF_ROLES, Actor, Role
from multitask.web.api import answers, auth, pagination
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.disputes import DisputeOut, show_dispute
from multitask.web.api.payments.refunds import RefundOut, show_refund
from multitask.web.api.payments.shared import WhereOut, identifier, where_fields
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
    moment_out,
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


class ChargebackOut(Output):
    """A cardholder's bank contests the payment, or asks about it (`is_inquiry`), which takes no money.

    `reason` is the bank's own code. `evidence_due_at` is until when the platform can answer the bank.
    """

    status: ChargebackStatus
    reason: str
    is_inquiry: bool
    amount: AmountOut
    opened_at: datetime
    evidence_due_at: datetime | None
    evidence_submitted_at: datetime | None
    closed_at: datetime | None


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
    payment_due_at: Annotated[
        datetime | None, Field(description="When the escrow is closed unless it is paid; null once it is paid.")
    ]
    hold_until_at: Annotated[
        datetime | None,
        Field(description="Until when the provider may hold the money; nothing happens by itself then."),
    ]
    disputed_at: datetime | None
    dispute_reason: str
    timeline: list[TimelineRow]
    allowed_actions: list[str]
    chargebacks: Annotated[list[ChargebackOut], Field(description="Chargebacks and inquiries, oldest first.")]


class EscrowDetailOut(EscrowOut):
    """One escrow, with the place of each cent."""

    returned_amount: Annotated[
        AmountOut, Field(description="The part of released_amount that went back to the client later.")
    ]
    used_for_debt: Annotated[
        AmountOut | None,
        Field(description="What of the freelancer's share paid what they owed; null for the client."),
    ]
    where: Annotated[list[WhereOut], Field(description="The amounts add up to total_amount.")]


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


@router.get("/escrow/{escrow_id}/", operation_id="escrow_get", response=responses({200: EscrowDetailOut}, 404))
def get(request: HttpRequest, escrow_id: str) -> HttpResponse:
    """Show an escrow to one of its sides or to staff."""
    actor = auth.actor_of(request)
    view, where = escrow_detail.read(actor, identifier(escrow_id), timezone.now())
    held = view.escrow
    is_payer = actor.is_user(held.client_id)
    return answers.of(
        {
            **fields(view, actor),
            "returned_amount": amount_out(Money(held.returned_minor, held.currency)),
            "used_for_debt": None if is_payer else amount_out(Money(held.netted_minor, held.currency)),
            "where": [where_fields(row) for row in where],
        }
    )


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
    """Refund the client, or ask the freelancer to agree to it, whichever the escrow allows the caller.

    After the release, the freelancer and staff refund; who bears it is decided in a fixed order.
    """
    actor, found = auth.actor_of(request), identifier(escrow_id)

    def execute(request_key: str) -> tuple[int, BaseModel]:
        held = access.escrow(actor, found)
        amount = None if body.amount is None else money(body.amount, held.currency)
        made = late_refunds.refund_or_ask(
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
    target = "the client's card" if refund_ways.of(made.escrow) is RefundWay.CARD else "the client"
    message = f"The refund is on its way to {target}."
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
    return EscrowOut.model_validate(fields(view, actor))


def fields(view: EscrowView, actor: Actor) -> dict[str, Any]:
    """Return the fields of `EscrowOut` that show an escrow to this actor, as JSON has them."""
    held = view.escrow
    currency = held.currency
    return {
        "id": held.pk,
        "escrow_id": str(held.public_id),
        "task": references.task_id(held.agreement),
        "task_title": held.agreement.title,
        "client": held.client_id,
        "client_username": held.client.username,
        "freelancer": held.freelancer_id,
        "freelancer_username": held.freelancer.username,
        "total_amount": amount_out(held.total),
        "platform_fee_percentage": percentage(held.fee_basis_points),
        "platform_fee_amount": amount_out(Money(held.fee_minor, currency)),
        "freelancer_amount": amount_out(Money(held.freelancer_minor, currency)),
        "released_amount": amount_out(Money(held.released_minor, currency)),
        "platform_fee_charged": amount_out(Money(held.released_fee_minor, currency)),
        "freelancer_received": amount_out(Money(held.released_minor - held.released_fee_minor, currency)),
        "refunded_amount": amount_out(Money(held.refunded_minor, currency)),
        "currency": currency,
        "status": held.state,
        "provider": held.provider,
        "stripe_payment_intent_id": held.provider_payment_id if held.provider == "stripe" else "",
        **_moments(held),
        "dispute_reason": held.dispute_reason,
        "timeline": [_timeline_row(event, actor) for event in view.timeline if audit.is_visible(actor, event)],
        "allowed_actions": view.allowed_actions,
        "chargebacks": [_chargeback(row) for row in view.chargebacks],
    }


def _moments(held: Escrow) -> dict[str, str | None]:
    is_open, is_held = held.escrow_state is EscrowState.PENDING_PAYMENT, held.escrow_state in HOLDING_ESCROWS
    return {
        "created_at": moment_out(held.created_at),
        "funded_at": moment_out(held.funded_at),
        "released_at": moment_out(held.released_at),
        "refunded_at": moment_out(held.refunded_at),
        "auto_release_at": moment_out(held.auto_release_at),
        "payment_due_at": moment_out(held.payment_due_at) if is_open else None,
        "hold_until_at": moment_out(held.hold_until_at) if is_held else None,
        "disputed_at": moment_out(held.disputed_at),
    }


def _chargeback(row: Chargeback) -> dict[str, Any]:
    return {
        "status": row.status,
        "reason": row.reason,
        "is_inquiry": row.is_inquiry,
        "amount": amount_out(row.amount),
        "opened_at": moment_out(row.opened_at),
        "evidence_due_at": moment_out(row.evidence_due_at),
        "evidence_submitted_at": moment_out(row.evidence_submitted_at),
        "closed_at": moment_out(row.closed_at),
    }


def _timeline_row(event: AuditEvent, actor: Actor) -> dict[str, Any]:
    by_staff = event.actor_role in {role.value for role in STAFF_ROLES}
    hidden = by_staff and not actor.is_staff
    amount = None
    if event.amount_minor is not None:
        amount = amount_out(Money(event.amount_minor, event.currency))
    return {
        "event": event.event,
        "at": moment_out(event.at),
        "actor": "staff" if hidden else _spoken(event),
        "amount": amount,
        "note": audit.visible_note(actor, event),
    }


def _spoken(event: AuditEvent) -> str:
    return "system" if event.actor_role == Role.SYSTEM.value else event.actor_label
