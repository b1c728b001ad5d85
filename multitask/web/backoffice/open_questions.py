"""What waits for the staff: the same questions for the home page, which counts them, and for the lists."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _

from multitask.payments.losses.chargebacks import HARMLESS
from multitask.payments.models import Approval, Chargeback, Dispute, Operation, Payment, Refund, Withdrawal
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import (
    OPEN_OPERATIONS,
    DisputeState,
    EscrowState,
    OperationState,
    PaymentState,
    RefundState,
    WithdrawalState,
)
from multitask.webhooks.models import EventState, IncomingEvent

STUCK_AFTER: Final = timedelta(minutes=5)
STUCK_ATTEMPTS: Final = 3
SLOW_AFTER: Final = timedelta(minutes=10)
RECENTLY: Final = timedelta(days=30)
# A count says "99+" beyond this, so that no question reads more rows than that.
MOST: Final = 100


def is_stuck(now: datetime) -> Q:
    """Overdue, or tried several times."""
    return Q(next_attempt_at__lt=now - STUCK_AFTER) | Q(next_attempt_at=None) | Q(attempts__gte=STUCK_ATTEMPTS)


def stuck(now: datetime) -> QuerySet[Operation]:
    """Open calls that are late or fail again and again; of those that are held, only the ones held for staff."""
    found = Operation.objects.filter(is_stuck(now), state__in=sorted(s.value for s in OPEN_OPERATIONS))
    return found.filter(hold__in=["", OUTCOME_UNKNOWN])


def refused_transfers(now: datetime) -> QuerySet[Operation]:
    """Transfers that the provider refused for good and nobody tried again."""
    later = Operation.objects.filter(
        kind=CREATE_TRANSFER, subject_id=OuterRef("subject_id"), sequence__gt=OuterRef("sequence")
    )
    refused = Operation.objects.filter(kind=CREATE_TRANSFER, state=OperationState.FAILED.value)
    return refused.filter(~Exists(later))


def failed_refunds(now: datetime) -> QuerySet[Refund]:
    """Failed refunds that nobody tried again and whose money is still there: in escrow, or in their own account."""
    key = Concat(Value("resend:"), Cast(OuterRef("pk"), CharField()), output_field=CharField())
    again = Refund.objects.filter(escrow=OuterRef("escrow_id"), request_key=key)
    in_escrow = Q(
        escrow__state__in=[EscrowState.FUNDED.value, EscrowState.DISPUTED.value],
        amount_minor__lte=F("escrow__total_minor") - F("escrow__released_minor") - F("escrow__refunded_minor"),
    )
    failed = Refund.objects.filter(~Exists(again), source="escrow", state=RefundState.FAILED.value)
    return failed.filter(Q(holds_money=True) | in_escrow)


def under_review(now: datetime) -> QuerySet[Payment]:
    """Payments that arrived, fit no escrow and are not on their way back."""
    leaving = Refund.objects.filter(payment=OuterRef("pk"), source="unapplied", state=RefundState.PENDING.value)
    return Payment.objects.filter(~Exists(leaving), state=PaymentState.REVIEW.value)


def failed_payouts(now: datetime) -> QuerySet[Withdrawal]:
    """Withdrawals that failed lately; the money is with its owner again."""
    return Withdrawal.objects.filter(state=WithdrawalState.FAILED.value, failed_at__gte=now - RECENTLY)


def slow_events(now: datetime) -> QuerySet[IncomingEvent]:
    """Events that wait longer than they should."""
    return IncomingEvent.objects.filter(state=EventState.RECEIVED, received_at__lt=now - SLOW_AFTER)


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of thing that waits, the list that shows it and the filter that narrows the list to it."""

    name: str
    words: Any
    label: str
    query: str
    rows: Callable[[datetime], QuerySet[Any]]
    is_bad: bool = True


QUESTIONS: Final = (
    Question(
        "approvals",
        _("Decisions that wait for a second person"),
        "payments.approval",
        "answer=waiting",
        lambda now: Approval.objects.filter(decided_at=None),
        is_bad=False,
    ),
    Question(
        "disputes",
        _("Disputes to settle"),
        "payments.dispute",
        "state=open",
        lambda now: Dispute.objects.filter(state=DisputeState.OPEN.value),
        is_bad=False,
    ),
    Question("review", _("Payments under review"), "payments.payment", "waits=review", under_review),
    Question("refunds", _("Refunds that failed"), "payments.refund", "waits=failed", failed_refunds),
    Question(
        "transfers",
        _("Transfers that were refused"),
        "payments.operation",
        "waits=refused_transfers",
        refused_transfers,
    ),
    Question("stuck", _("Calls at the provider that are stuck"), "payments.operation", "waits=stuck", stuck),
    Question("slow", _("Webhooks that wait too long"), "webhooks.incomingevent", "waits=slow", slow_events),
    Question(
        "given_up",
        _("Webhooks given up"),
        "webhooks.incomingevent",
        "state=failed",
        lambda now: IncomingEvent.objects.filter(state=EventState.FAILED),
    ),
    Question(
        "quarantined",
        _("Webhooks in quarantine"),
        "webhooks.incomingevent",
        "state=quarantined",
        lambda now: IncomingEvent.objects.filter(state=EventState.QUARANTINED),
    ),
    Question(
        "chargebacks",
        _("Chargebacks that hold money"),
        "payments.chargeback",
        "open=yes",
        lambda now: Chargeback.objects.exclude(status__in=HARMLESS),
    ),
)


def counts(now: datetime) -> dict[str, int]:
    """How many of each wait, counted up to `MOST`. One query."""
    first, *others = [_names(question, now) for question in QUESTIONS]
    found: dict[str, int] = {}
    for (name,) in first.union(*others, all=True):
        found[name] = found.get(name, 0) + 1
    return found


def _names(question: Question, now: datetime) -> QuerySet[Any, tuple[str]]:
    named = question.rows(now).order_by().annotate(question=Value(question.name, output_field=CharField()))
    found: QuerySet[Any, tuple[str]] = named.values_list("question")[:MOST]
    return found
