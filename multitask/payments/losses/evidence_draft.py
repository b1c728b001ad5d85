"""The evidence about a chargeback as far as we know it: a draft of its texts, in English, for the bank."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from multitask.money import Money
from multitask.payments.models import AuditEvent, Chargeback, Escrow
from multitask.payments.provider import TEXT_MAX, EvidenceText
from multitask.payments.states import RefundState
from multitask.payments.terms import percentage

# The events that tell a bank what the customer got, in its words; those of other kinds do not concern it.
_EVENTS: Final = {
    "payment_requested": "The customer began to pay",
    "funded": "The payment was received and is held until the customer confirms the work",
    "started": "Work began",
    "delivered": "The work was delivered",
    "completed": "The customer confirmed the work",
    "released": "The money was released to the freelancer",
    "refund_requested": "The customer asked for a refund",
    "refund_accepted": "The freelancer agreed to the refund",
    "refund_refused": "The freelancer refused the refund",
    "refund_granted": "Our staff agreed to the refund",
    "refund_denied": "Our staff refused the refund",
    "refund_withdrawn": "The customer took the request for a refund back",
    "refunded": "The customer was refunded",
    "dispute_opened": "A dispute was opened on our site",
    "dispute_settled": "The dispute on our site was settled",
    "task_cancelled": "The work was called off",
}
_REFUSALS: Final = ("refund_refused", "refund_denied")


def texts(chargeback: Chargeback) -> dict[str, str]:
    """Return the draft of every text for which something is known. Three statements."""
    escrow = Escrow.objects.select_related("agreement", "milestone", "client", "freelancer").get(
        pk=chargeback.escrow_id
    )
    trail = list(AuditEvent.objects.filter(escrow=escrow, event__in=_EVENTS).order_by("pk"))
    drafted = {
        EvidenceText.SERVICE: _service(escrow),
        EvidenceText.SERVICE_DATE: _service_date(escrow),
        EvidenceText.CUSTOMER_NAME: escrow.client.username,
        EvidenceText.CUSTOMER_EMAIL: escrow.client.email,
        EvidenceText.PURCHASE_IP: _purchase_ip(trail),
        EvidenceText.ACTIVITY: "\n".join(_lines(trail)),
        EvidenceText.REFUND_TERMS: _refund_terms(escrow),
        EvidenceText.WHY_NOT_REFUNDED: "\n".join(event.note for event in trail if event.event in _REFUSALS),
        EvidenceText.REMARKS: "\n".join(_remarks(escrow)),
    }
    return {name.value: text[:TEXT_MAX] for name, text in drafted.items() if text}


def _service(escrow: Escrow) -> str:
    agreement, milestone = escrow.agreement, escrow.milestone
    part = f", part “{milestone.title}”" if milestone.title != agreement.title else ""
    return (
        f"Freelance work ordered on our marketplace: “{agreement.title}”{part}. "
        f"{escrow.freelancer.username} does the work for {escrow.client.username} at the agreed price of "
        f"{escrow.total}, agreed on {_day(agreement.created_at)}. The payment is held in escrow and released to the "
        f"freelancer when the customer confirms the work."
    )


def _service_date(escrow: Escrow) -> str:
    milestone = escrow.milestone
    # Only a day on which work was handed over: a bank reads this.
    at = milestone.delivered_at or milestone.completed_at
    return _day(at) if at else ""


def _purchase_ip(trail: list[AuditEvent]) -> str:
    """Return the address from which the payment that succeeded was begun, as far as the trail has it."""
    begun = [event.ip for event in trail if event.event == "payment_requested" and event.ip]
    return str(begun[-1]) if begun else ""


def _lines(trail: list[AuditEvent]) -> Iterator[str]:
    for event in trail:
        amount = "" if event.amount_minor is None else f" ({Money(event.amount_minor, event.currency)})"
        source = f", from {event.ip}" if event.ip else ""
        note = f": {event.note}" if event.note and event.actor_id is not None else ""
        who = f", by {event.actor_label}" if event.actor_id is not None else ""
        yield f"{event.at:%Y-%m-%d %H:%M} UTC: {_EVENTS[event.event]}{amount}{who}{source}{note}"


def _refund_terms(escrow: Escrow) -> str:
    return (
        "Before the customer pays, the payment page shows: until the work has started, the customer can take the "
        "money back at once. Afterwards a request for a refund is answered by the freelancer within "
        f"{escrow.refund_answer_days} days; without an answer it is accepted, and a refusal is decided by our staff. "
        f"The platform's fee is {percentage(escrow.fee_basis_points)}% of what is released."
    )


def _remarks(escrow: Escrow) -> Iterator[str]:
    for dispute in escrow.disputes.order_by("pk"):
        yield f"Dispute on our site, {_day(dispute.opened_at)}: {dispute.reason}"
        if dispute.settled_at is not None:
            yield f"Settled on {_day(dispute.settled_at)}: {dispute.settlement_note}"
    for refund in escrow.refunds.filter(state=RefundState.SUCCEEDED.value).order_by("pk"):
        yield f"Refunded on {_day(refund.processed_at or refund.created_at)}: {refund.amount} ({refund.reason})"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
