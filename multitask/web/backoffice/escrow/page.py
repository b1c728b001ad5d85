"""The page of an escrow: where its money is, what happened, what waits, and what the books and the provider say."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.escrow import charges, permitted_actions, refunds_by_bank, releases
from multitask.payments.funding import unnamed_tries
from multitask.payments.losses import lost_reversals
from multitask.payments.losses.waterfall import Shares
from multitask.payments.models import (
    Approval,
    AuditEvent,
    Chargeback,
    Dispute,
    Escrow,
    FraudWarning,
    Loss,
    Operation,
    Payment,
    Refund,
)
from multitask.payments.payouts import reversals
from multitask.payments.reads import where
from multitask.payments.states import OPEN_REFUNDS, DisputeState, EscrowState, PaymentState, RefundState
from multitask.payments.terms import percentage
from multitask.users.actor import Actor, Role
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.approvals.actions import decision_buttons
from multitask.web.backoffice.approvals.decisions import WAITING, answer_of, decided_amount, kind_label
from multitask.web.backoffice.base import links, rendering, waterfall_words
from multitask.web.backoffice.base.actions import Action, Button
from multitask.web.backoffice.base.roles import actor_of
from multitask.web.backoffice.books import audit_trail, ledger_pages
from multitask.web.backoffice.chargebacks.warning_actions import CloseWarning, RefundWarning
from multitask.web.backoffice.escrow.actions import RefundClient, Release, ReturnPayment, SettleDispute
from multitask.web.backoffice.escrow.late_refund_actions import GiveUpRefund, RefundReleased
from multitask.web.backoffice.escrow.payment_actions import NameTry
from multitask.web.backoffice.escrow.refund_actions import AcceptRefund, RefundByBank, RefuseRefund, RetryRefund
from multitask.web.backoffice.escrow.refund_decisions import RefundWasNotMade, RefundWasPaid
from multitask.web.backoffice.escrow.reversal_actions import GiveUpReversal, RefundReversed, TransferAgain
from multitask.web.backoffice.operations.actions import RetryReversal, RetryTransfer
from multitask.web.pages.base import status_labels
from multitask.web.pages.escrow import timeline
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A payment, refund, dispute, chargeback or approval, with the actions that are offered on it."""

    data: Any
    buttons: list[Button] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """Which actions are offered to the reader. None are while a decision waits, or on an escrow of their own."""

    actor: Actor
    is_blocked: bool

    def button(self, action: type[Action], subject_id: int, *, when: bool = True) -> list[Button]:
        """Return the action's button, if it is offered."""
        is_offered = when and not self.is_blocked and self.actor.may(action.power)
        return [action.button(subject_id)] if is_offered else []


def show(request: HttpRequest, find: Callable[[], Escrow | None]) -> HttpResponse:
    """Show one of two parts: the money and its history, or what the books and the provider say. Raises Http404."""
    is_record = request.GET.get("part") == "record"
    escrow, context = _read(find, actor_of(request), is_record=is_record)
    context |= {
        "escrow": escrow,
        "is_record": is_record,
        "percentage": percentage(escrow.fee_basis_points),
        "fee": Money(escrow.fee_minor, escrow.currency),
        "share": Money(escrow.freelancer_minor, escrow.currency),
    }
    return rendering.page(request, "escrow/escrow.html", _("Escrow %(id)s") % {"id": escrow.pk}, context)


@database.snapshot
def _read(find: Callable[[], Escrow | None], actor: Actor, *, is_record: bool) -> tuple[Escrow, dict[str, Any]]:
    """Read the escrow and everything that its page shows, as it is at one moment. Raises Http404."""
    escrow = find()
    if escrow is None:
        raise Http404
    return escrow, _record(escrow) if is_record else _history(escrow, actor)


def _history(escrow: Escrow, actor: Actor) -> dict[str, Any]:
    trail, now = releases.timeline(escrow), timezone.now()
    happened = {event.event for event in trail}
    is_own = access.party(actor, escrow) in {Role.CLIENT, Role.FREELANCER}
    asked = any(name.endswith("_needs_approval") for name in happened)
    decisions = [_approval(row, escrow, actor, is_own=is_own) for row in _approvals(escrow)] if asked else []
    # While a decision waits for a second person, the staff decides nothing else about the escrow.
    is_waiting = any(part.data["answer"] == WAITING for part in decisions)
    offers = Offers(actor, is_blocked=is_own or is_waiting)
    return {
        "parts": timeline.bar(where.of_escrow(actor, escrow, now), escrow.total_minor),
        "trail": audit_trail.lines(trail),
        "is_own": is_own,
        "buttons": _of_escrow(escrow, offers),
        "payments": _payments(escrow, offers, now),
        "refunds": _refunds(escrow, offers, now) if _has_refunds(happened) else [],
        "disputes": [_dispute(row, escrow, offers) for row in _disputes(escrow)],
        "chargebacks": _chargebacks(escrow) if "chargeback_opened" in happened else [],
        "reversals": _reversals(escrow, offers) if happened & {"transfer_reversed", "reversal_failed"} else [],
        "losses": _losses(escrow) if happened & {"loss_booked", "late_refund_started", "refunded_outside"} else [],
        "warnings": _warnings(escrow, offers) if "fraud_warning_opened" in happened else [],
        "approvals": decisions,
        "transfer_refused": _transfer_refused(trail, offers),
    }


def _has_refunds(happened: set[str]) -> bool:
    return bool(
        happened
        & {
            "refund_requested",
            "refund_started",
            "payment_sent_back",
            "dispute_settled",
            "late_refund_started",
            "refunded_outside",
            "reversal_refund_client",
        }
    )


def _of_escrow(escrow: Escrow, offers: Offers) -> list[Button]:
    """Return the buttons of what the rules allow this person to do with the escrow now."""
    actions: dict[str, type[Action]] = {
        "release": Release,
        "refund": RefundClient,
        "refund_released": RefundReleased,
    }
    allowed = [name for name in permitted_actions.allowed(offers.actor, escrow) if name in actions]
    return [button for name in allowed for button in offers.button(actions[name], escrow.pk)]


def _in_queue(rows: Callable[[datetime], QuerySet[Any]], escrow: Escrow, now: datetime) -> set[int]:
    """Return the ids of the escrow's rows that are in this part of the work queue."""
    return set(rows(now).filter(escrow=escrow).values_list("pk", flat=True))


def _payments(escrow: Escrow, offers: Offers, now: datetime) -> list[Part]:
    found = list(escrow.payments.order_by("pk"))
    is_reviewed = any(payment.state == PaymentState.REVIEW.value for payment in found)
    returnable = _in_queue(work_queue.under_review, escrow, now) if is_reviewed else set()
    return [
        Part(
            _amounts(payment),
            [
                *offers.button(ReturnPayment, payment.pk, when=payment.pk in returnable),
                *offers.button(NameTry, payment.pk, when=_is_unnamed(payment)),
            ],
        )
        for payment in found
    ]


def _is_unnamed(payment: Payment) -> bool:
    return payment.state == PaymentState.PENDING.value and payment.provider_status == unnamed_tries.STATUS


def _amounts(payment: Payment) -> dict[str, Any]:
    received = Money(payment.received_minor, payment.received_currency) if payment.received_currency else None
    return {"row": payment, "asked": Money(payment.amount_minor, payment.currency), "received": received}


def _refunds(escrow: Escrow, offers: Offers, now: datetime) -> list[Part]:
    found = list(escrow.refunds.select_related("requested_by", "payment").order_by("pk"))
    followed = {refund.request_key: refund for refund in found}
    retriable = _retriable(escrow, found, now)
    undecided = _in_queue(work_queue.undecided_refunds, escrow, now)
    return [
        _requested(refund, escrow, offers)
        if refund.state == RefundState.REQUESTED.value
        else Part(
            refund,
            [
                *offers.button(RefundWasPaid, refund.pk, when=refund.pk in undecided),
                *offers.button(RefundWasNotMade, refund.pk, when=refund.pk in undecided),
                *offers.button(RetryRefund, refund.pk, when=refund.pk in retriable),
                *offers.button(RefundByBank, refund.pk, when=refunds_by_bank.may_be_recorded(refund)),
                *offers.button(GiveUpRefund, refund.pk, when=refund.source == "released" and refund.holds_money),
            ],
            _after_failure(refund, escrow, followed.get(f"resend:{refund.pk}")),
        )
        for refund in found
    ]


def _retriable(escrow: Escrow, refunds: Iterable[Refund], now: datetime) -> set[int]:
    """Return the ids of failed refunds that can be tried again now: those in the work queue, unless held up."""
    is_open = any(refund.source == "escrow" and RefundState(refund.state) in OPEN_REFUNDS for refund in refunds)
    if is_open or escrow.frozen_at is not None or escrow.state == EscrowState.DISPUTED.value:
        return set()
    has_failed = any(refund.state == RefundState.FAILED.value for refund in refunds)
    waiting = _in_queue(work_queue.failed_refunds, escrow, now) if has_failed else set()
    return {refund.pk for refund in refunds if refund.pk in waiting and charges.is_owed(refund)}


def _requested(refund: Refund, escrow: Escrow, offers: Offers) -> Part:
    """Return the client's request, which the freelancer has not answered."""
    is_free = escrow.frozen_at is None
    return Part(
        refund,
        [
            *offers.button(AcceptRefund, refund.pk, when=is_free),
            *offers.button(RefuseRefund, refund.pk, when=is_free),
        ],
    )


def _after_failure(refund: Refund, escrow: Escrow, again: Refund | None) -> str:
    """Return what became of a failed refund."""
    if refund.state != RefundState.FAILED.value or refund.source != "escrow":
        return ""
    if again is not None:
        return _("It was paid by bank transfer.") if again.is_by_bank else _("It was tried again.")
    is_gone = escrow.state == EscrowState.RELEASED.value and not refund.holds_money
    return _("Its money went back to escrow and was released.") if is_gone else ""


def _disputes(escrow: Escrow) -> list[Dispute]:
    if escrow.disputed_at is None:
        return []
    return list(escrow.disputes.select_related("opened_by", "settled_by").order_by("pk"))


def _dispute(dispute: Dispute, escrow: Escrow, offers: Offers) -> Part:
    can_settle = dispute.state == DisputeState.OPEN.value and escrow.frozen_at is None
    return Part(dispute, offers.button(SettleDispute, dispute.pk, when=can_settle))


def _chargebacks(escrow: Escrow) -> list[Part]:
    found: list[Chargeback] = list(escrow.chargebacks.order_by("pk"))
    return [
        Part(
            {
                "row": each,
                "amount": each.amount,
                "address": links.of(each),
                "reason": status_labels.bank_reason(each.reason),
            }
        )
        for each in found
    ]


def _warnings(escrow: Escrow, offers: Offers) -> list[Part]:
    found: list[FraudWarning] = list(escrow.fraud_warnings.select_related("closed_by").order_by("pk"))
    return [
        Part(
            {"row": each, "reason": status_labels.bank_reason(each.reason)},
            [
                *offers.button(RefundWarning, each.pk, when=each.closed_at is None),
                *offers.button(CloseWarning, each.pk, when=each.closed_at is None),
            ],
        )
        for each in found
    ]


def _reversals(escrow: Escrow, offers: Offers) -> list[Part]:
    """Return the reversals of the escrow's transfers, with what may be decided about each."""
    return [
        Part(
            reversal,
            [
                *offers.button(TransferAgain, reversal.pk, when=not reversal.is_decided),
                *offers.button(RefundReversed, reversal.pk, when=not reversal.is_decided),
                *offers.button(RetryReversal, reversal.pk, when=reversals.can_be_retried(reversal)),
                *offers.button(GiveUpReversal, reversal.pk, when=lost_reversals.can_be_given_up(reversal)),
            ],
        )
        for reversal in escrow.reversals.select_related("transfer", "loss").order_by("pk")
    ]


def _losses(escrow: Escrow) -> list[Part]:
    """Return the losses of the escrow, with who bore them."""
    found = escrow.losses.select_related("booked_by").order_by("pk")
    words = waterfall_words.sentences
    return [Part(loss, note=" ".join(words(escrow, shares_of(loss), currency=loss.currency))) for loss in found]


def shares_of(loss: Loss) -> Shares:
    """Return who bore a loss."""
    return Shares(
        escrow=loss.escrow_minor,
        payee=loss.payee_minor,
        fee=loss.fee_minor,
        receivable=loss.receivable_minor,
        platform=loss.platform_minor,
    )


def _approvals(escrow: Escrow) -> list[Approval]:
    return list(escrow.approvals.select_related("requested_by", "decided_by").order_by("-pk"))


def _approval(approval: Approval, escrow: Escrow, actor: Actor, *, is_own: bool) -> Part:
    """Return an approval with its buttons: not for the person who asked, nor for a side of the escrow."""
    approval.escrow = escrow
    data = {
        "row": approval,
        "kind": kind_label(approval),
        "amount": decided_amount(approval),
        "answer": answer_of(approval),
    }
    if approval.decided_at is not None or is_own:
        return Part(data)
    if actor.is_user(approval.requested_by_id):
        return Part(data, note=_("You asked for this yourself, so a colleague has to approve it."))
    buttons = decision_buttons(approval, actor)
    if not buttons:
        return Part(data, note=_("A second person of the finance staff has to approve it."))
    note = _("%(name)s asked for this; you can be the second person.") % {"name": approval.requested_by.username}
    return Part(data, buttons, note)


def _transfer_refused(trail: list[AuditEvent], offers: Offers) -> Part | None:
    """Return the newest refusal of the transfer, unless it was tried again or has gone through since."""
    attempts = [event for event in trail if event.event in {"transfer_failed", "transfer_retried", "transferred"}]
    if not attempts or attempts[-1].event != "transfer_failed" or attempts[-1].escrow_id is None:
        return None
    refused = attempts[-1]
    return Part(refused, offers.button(RetryTransfer, attempts[-1].escrow_id), refused.note)


def _record(escrow: Escrow) -> dict[str, Any]:
    """Return the postings, calls and webhooks."""
    payments = list(escrow.payments.order_by("pk"))
    refunds = list(escrow.refunds.order_by("pk"))
    subjects = [
        ("escrow", escrow.pk),
        *(("payment", payment.pk) for payment in payments),
        *(("refund", refund.pk) for refund in refunds),
    ]
    calls = list(Operation.objects.filter(escrow=escrow).order_by("pk"))
    return {
        "postings": ledger_pages.posted_under(ledger_pages.keys_of(subjects)),
        "calls": calls,
        "webhooks": _webhooks(escrow, payments, refunds, calls),
    }


def _webhooks(
    escrow: Escrow, payments: list[Payment], refunds: list[Refund], calls: list[Operation]
) -> list[IncomingEvent]:
    """Return the provider's events about the escrow's objects, newest first."""
    ids = itertools.chain(
        ((payment.provider_payment_id, payment.provider_collection_id) for payment in payments),
        # Paymob's callbacks name the try to pay together with the payment.
        ((f"{payment.provider_payment_id}/{payment.provider_collection_id}",) for payment in payments),
        ((refund.provider_refund_id,) for refund in refunds),
        ((call.provider_reference,) for call in calls),
        ((each.provider_dispute_id,) for each in escrow.chargebacks.all()),
    )
    known = sorted({each for group in ids for each in group if each})
    found = IncomingEvent.objects.filter(object_id__in=known).exclude(object_id="")
    return list(found.defer("payload").order_by("-pk")[:MOST_EVENTS])
