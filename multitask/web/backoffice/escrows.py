"""The page of an escrow: where every cent is, what happened, what waits, and what the books and the provider say."""

import itertools
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.authorization.approvals import SETTLE
from multitask.payments.escrow import permitted_actions
from multitask.payments.escrow import releases as escrow_rules
from multitask.payments.models import Approval, AuditEvent, Chargeback, Dispute, Escrow, Operation, Payment, Refund
from multitask.payments.reads import allocation
from multitask.payments.states import DisputeState, PaymentState, RefundState
from multitask.payments.terms import percentage
from multitask.users.actor import Actor, Power, Role
from multitask.web.backoffice import addresses, audit, books, site
from multitask.web.backoffice.roles import actor_of
from multitask.web.pages import events
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS: Final = 100
_WAITING: Final = "waiting"


@dataclass(frozen=True, slots=True)
class Button:
    """A deed that is offered, and where its reason is asked for."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the escrow's money with what may be done about it."""

    thing: Any
    buttons: list[Button]
    words: str = ""


def show(request: HttpRequest, escrow: Escrow) -> HttpResponse:
    """The page, in two parts: the money and its story, or what the books and the provider say."""
    is_record = request.GET.get("part") == "record"
    context = _record(escrow) if is_record else _story(escrow, actor_of(request))
    context |= {
        "escrow": escrow,
        "is_record": is_record,
        "percentage": percentage(escrow.fee_basis_points),
        "fee": Money(escrow.fee_minor, escrow.currency),
        "share": Money(escrow.freelancer_minor, escrow.currency),
    }
    return site.page(request, "escrow.html", _("Escrow %(id)s") % {"id": escrow.pk}, context)


def _story(escrow: Escrow, actor: Actor) -> dict[str, Any]:
    trail = escrow_rules.timeline(escrow)
    happened = {event.event for event in trail}
    decisions = _approvals(escrow, actor) if any(name.endswith("_needs_approval") for name in happened) else []
    # While a decision waits for a second person, the staff decides nothing else over the escrow.
    is_decided = any(row.thing["answer"] == _WAITING for row in decisions)
    return {
        "parts": events.places(allocation.parts(escrow), escrow.total_minor),
        "trail": audit.lines(trail),
        "buttons": [] if is_decided else _offered(escrow, actor),
        "is_own": access.party(actor, escrow) in {Role.CLIENT, Role.FREELANCER},
        "payments": [_payment(row, actor, is_decided=is_decided) for row in escrow.payments.order_by("pk")],
        "refunds": _refunds(escrow, actor, is_decided=is_decided) if _has_refunds(happened) else [],
        "disputes": [_dispute(row, actor, is_decided=is_decided) for row in _disputes(escrow)],
        "chargebacks": _chargebacks(escrow) if "chargeback_opened" in happened else [],
        "approvals": decisions,
        "transfer_refused": _transfer_refused(trail, actor, is_decided=is_decided),
    }


def _has_refunds(happened: set[str]) -> bool:
    return bool(happened & {"refund_requested", "refund_started", "payment_sent_back", "dispute_settled"})


def _offered(escrow: Escrow, actor: Actor) -> list[Button]:
    """What the rules would let this person do now, of what is done from here."""
    deeds = {"release": "release", "refund": "refund"}
    return [
        Button(deeds[name], addresses.deed(deeds[name], escrow.pk))
        for name in permitted_actions.allowed(actor, escrow)
        if name in deeds and (actor.may(Power.RELEASE) or actor.may(Power.REFUND))
    ]


def _button(name: str, subject_id: int, is_offered: bool) -> list[Button]:
    return [Button(name, addresses.deed(name, subject_id))] if is_offered else []


def _payment(payment: Payment, actor: Actor, *, is_decided: bool) -> Row:
    is_waiting = payment.state == PaymentState.REVIEW.value and not is_decided
    received = Money(payment.received_minor, payment.received_currency) if payment.received_currency else None
    offered = _button("return-payment", payment.pk, is_waiting and actor.may(Power.REFUND))
    return Row({"row": payment, "asked": Money(payment.amount_minor, payment.currency), "received": received}, offered)


def _refunds(escrow: Escrow, actor: Actor, *, is_decided: bool) -> list[Row]:
    found = list(escrow.refunds.select_related("requested_by").order_by("pk"))
    again = {refund.request_key for refund in found}
    is_answerable = actor.may(Power.REFUND) and not is_decided and escrow.frozen_at is None
    return [
        _asked(refund)
        if is_answerable and refund.state == RefundState.REQUESTED.value
        else _refund(refund, again, actor, is_decided=is_decided)
        for refund in found
    ]


def _asked(refund: Refund) -> Row:
    """The client's request, which the freelancer has not answered."""
    return Row(refund, [Button(name, addresses.deed(name, refund.pk)) for name in ("accept-refund", "refuse-refund")])


def _refund(refund: Refund, again: set[str], actor: Actor, *, is_decided: bool) -> Row:
    is_failed = refund.state == RefundState.FAILED.value and refund.source == "escrow"
    was_retried = f"resend:{refund.pk}" in again
    is_offered = is_failed and not was_retried and not is_decided and actor.may(Power.REFUND)
    return Row(refund, _button("retry-refund", refund.pk, is_offered), _("Was tried again.") if was_retried else "")


def _disputes(escrow: Escrow) -> list[Dispute]:
    if escrow.disputed_at is None:
        return []
    return list(escrow.disputes.select_related("opened_by", "settled_by").order_by("pk"))


def _dispute(dispute: Dispute, actor: Actor, *, is_decided: bool) -> Row:
    is_open = dispute.state == DisputeState.OPEN.value and not is_decided
    return Row(dispute, _button("settle", dispute.pk, is_open and actor.may(Power.SETTLE_DISPUTE)))


def _chargebacks(escrow: Escrow) -> list[Row]:
    found: list[Chargeback] = list(escrow.chargebacks.order_by("pk"))
    return [Row({"row": each, "amount": Money(each.amount_minor, each.currency)}, []) for each in found]


def _approvals(escrow: Escrow, actor: Actor) -> list[Row]:
    found = list(escrow.approvals.select_related("requested_by", "decided_by").order_by("-pk"))
    return [_approval(approval, escrow, actor) for approval in found]


def _approval(approval: Approval, escrow: Escrow, actor: Actor) -> Row:
    """Say who decides now: never the person who asked, nor a side of the escrow."""
    approval.escrow = escrow
    buttons: list[Button] = []
    words = ""
    if approval.decided_at is None:
        if actor.is_user(approval.requested_by_id):
            words = _("You asked for this yourself, so a colleague has to approve it.")
        elif not actor.may(Power.REFUND):
            words = _("A second person of the finance staff has to approve it.")
        else:
            told = {"name": approval.requested_by.username}
            words = _("%(name)s asked for this; you can be the second person.") % told
            buttons = [Button(name, addresses.deed(name, approval.pk)) for name in ("approve", "turn-down")]
    shown = {"row": approval, "amount": decided_amount(approval), "answer": answer_of(approval)}
    return Row(shown, buttons, words)


def decided_amount(approval: Approval) -> Money:
    """How much an approval decides over; its escrow is read already."""
    told = approval.arguments
    minor = told["client_minor"] + told["freelancer_minor"] if approval.kind == SETTLE else told["amount_minor"]
    return Money(minor, told.get("currency", approval.escrow.currency))


def answer_of(approval: Approval) -> str:
    """Answer waiting, approved or turned_down."""
    if approval.approved is None:
        return _WAITING
    return "approved" if approval.approved else "turned_down"


def _transfer_refused(trail: list[AuditEvent], actor: Actor, *, is_decided: bool) -> Row | None:
    """The newest refusal of the transfer, if nobody has tried again since and it has not gone through."""
    told = [event for event in trail if event.event in {"transfer_failed", "transfer_retried", "transferred"}]
    if not told or told[-1].event != "transfer_failed" or told[-1].escrow_id is None:
        return None
    is_offered = not is_decided and actor.may(Power.RELEASE)
    return Row(told[-1], _button("retry-transfer", told[-1].escrow_id, is_offered), told[-1].note)


def _record(escrow: Escrow) -> dict[str, Any]:
    """The books, the calls and the webhooks."""
    payments = list(escrow.payments.order_by("pk"))
    refunds = list(escrow.refunds.order_by("pk"))
    subjects = [
        ("escrow", escrow.pk),
        *(("payment", payment.pk) for payment in payments),
        *(("refund", refund.pk) for refund in refunds),
    ]
    calls = list(Operation.objects.filter(escrow=escrow).order_by("pk"))
    return {
        "postings": books.posted_under(books.keys_of(subjects)),
        "calls": calls,
        "webhooks": _webhooks(escrow, payments, refunds, calls),
    }


def _webhooks(
    escrow: Escrow, payments: list[Payment], refunds: list[Refund], calls: list[Operation]
) -> list[IncomingEvent]:
    """What the provider told us of the escrow's objects, newest first."""
    ids = itertools.chain(
        ((payment.provider_payment_id, payment.provider_collection_id) for payment in payments),
        ((refund.provider_refund_id,) for refund in refunds),
        ((call.provider_reference,) for call in calls),
        ((each.provider_dispute_id,) for each in escrow.chargebacks.all()),
    )
    known = sorted({each for group in ids for each in group if each})
    found = IncomingEvent.objects.filter(object_id__in=known).exclude(object_id="")
    return list(found.defer("payload").order_by("-pk")[:MOST_EVENTS])
