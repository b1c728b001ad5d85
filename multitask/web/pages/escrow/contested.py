"""What an open chargeback means for the two sides: the work stops, and when more is known."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.losses import holds
from multitask.payments.models import Chargeback, Escrow
from multitask.payments.provider import ChargebackStatus
from multitask.payments.states import CLOSED_MILESTONES
from multitask.users.actor import Role
from multitask.web.pages.base import status_labels

_UNANSWERED = frozenset({ChargebackStatus.NEEDS_RESPONSE, ChargebackStatus.WARNING_NEEDS_RESPONSE})


@dataclass(frozen=True, slots=True)
class ContestedView:
    """One chargeback or inquiry for display; `answer_by` while our answer to the bank is due."""

    amount: Money
    status: str
    reason: str
    opened_at: datetime
    answer_by: datetime | None
    closed_at: datetime | None


def views(escrow: Escrow) -> list[ContestedView]:
    """Return all chargebacks and inquiries of an escrow, oldest first. One statement."""
    return [
        ContestedView(
            amount=row.amount,
            status=row.status,
            reason=status_labels.bank_reason(row.reason),
            opened_at=row.opened_at,
            answer_by=row.evidence_due_at if row.status in _UNANSWERED else None,
            closed_at=row.closed_at,
        )
        for row in escrow.chargebacks.order_by("pk")
    ]


def next_step(escrow: Escrow, role: Role) -> tuple[str, datetime | None]:
    """Return what happens next with a frozen escrow, for this reader, and until when we answer the bank."""
    row = escrow.chargebacks.filter(holds.CONTESTED).order_by("evidence_due_at", "pk").first()
    if row is None:
        return _("The cardholder's bank decides; the money is held until then."), None
    is_at_work = escrow.milestone.milestone_state not in CLOSED_MILESTONES
    first = _("Do not work on this for now.") if role is Role.FREELANCER and is_at_work else ""
    text, at = _about(row, role)
    return f"{first} {text}".strip(), at


def _about(row: Chargeback, role: Role) -> tuple[str, datetime | None]:
    if row.status == ChargebackStatus.LOST.value:
        return _("The cardholder's bank has kept the money. Our staff settles what follows."), None
    if row.status not in _UNANSWERED:
        return _("The bank has our answer and decides; that can take some weeks. The money is held until then."), None
    until = _("We answer the bank by:")
    if role is Role.CLIENT:
        text = (
            _("Your bank asks about this payment, so its money is held. If the payment is right, tell your bank.")
            if row.is_inquiry
            else _("Your bank contests this payment, so its money is held. If that is an error, tell your bank.")
        )
        return f"{text} {until}", row.evidence_due_at
    text = (
        _("The cardholder's bank asks about this payment, so its money is held.")
        if row.is_inquiry
        else _("The cardholder's bank contests this payment, so its money is held.")
    )
    return f"{text} {until}", row.evidence_due_at
