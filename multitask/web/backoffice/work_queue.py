"""The staff's work queue: what needs attention. The overview counts it, and the lists filter by it."""

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
# Beyond this the overview shows "99+", so that counting never reads more rows.
COUNT_LIMIT: Final = 100


def is_stuck(now: datetime) -> Q:
    """Return the condition of a stuck call: overdue, or tried several times."""
    return Q(next_attempt_at__lt=now - STUCK_AFTER) | Q(next_attempt_at=None) | Q(attempts__gte=STUCK_ATTEMPTS)


def stuck(now: datetime) -> QuerySet[Operation]:
    """Return open calls that are overdue, were tried several times, or wait for staff."""
    found = Operation.objects.filter(is_stuck(now), state__in=sorted(s.value for s in OPEN_OPERATIONS))
    return found.filter(hold__in=["", OUTCOME_UNKNOWN])


def refused_transfers(now: datetime) -> QuerySet[Operation]:
    """Return transfers that the provider refused permanently and that were not tried again."""
    later = Operation.objects.filter(
        kind=CREATE_TRANSFER, subject_id=OuterRef("subject_id"), sequence__gt=OuterRef("sequence")
    )
    refused = Operation.objects.filter(kind=CREATE_TRANSFER, state=OperationState.FAILED.value)
    return refused.filter(~Exists(later))


def failed_refunds(now: datetime) -> QuerySet[Refund]:
    """Return failed refunds that were not tried again and whose money is there: in escrow, or in their own account."""
    key = Concat(Value("resend:"), Cast(OuterRef("pk"), CharField()), output_field=CharField())
    again = Refund.objects.filter(escrow=OuterRef("escrow_id"), request_key=key)
    in_escrow = Q(
        escrow__state__in=[EscrowState.FUNDED.value, EscrowState.DISPUTED.value],
        amount_minor__lte=F("escrow__total_minor") - F("escrow__released_minor") - F("escrow__refunded_minor"),
    )
    failed = Refund.objects.filter(~Exists(again), source="escrow", state=RefundState.FAILED.value)
    return failed.filter(Q(holds_money=True) | in_escrow)


def under_review(now: datetime) -> QuerySet[Payment]:
    """Return payments that arrived, fit no escrow and are not being sent back."""
    leaving = Refund.objects.filter(payment=OuterRef("pk"), source="unapplied", state=RefundState.PENDING.value)
    return Payment.objects.filter(~Exists(leaving), state=PaymentState.REVIEW.value)


def failed_payouts(now: datetime) -> QuerySet[Withdrawal]:
    """Return withdrawals that failed recently; the money is in the wallet again."""
    return Withdrawal.objects.filter(state=WithdrawalState.FAILED.value, failed_at__gte=now - RECENTLY)


def slow_events(now: datetime) -> QuerySet[IncomingEvent]:
    """Return webhooks that wait longer than they should."""
    return IncomingEvent.objects.filter(state=EventState.RECEIVED, received_at__lt=now - SLOW_AFTER)


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One kind of work: its query, and the list (`model`, such as `payments.refund`) and filter that show it."""

    name: str
    title: Any
    model: str
    query: str
    rows: Callable[[datetime], QuerySet[Any]]
    is_problem: bool = True


ITEMS: Final = (
    QueueItem(
        "approvals",
        _("Decisions that wait for a second person"),
        "payments.approval",
        "answer=waiting",
        lambda now: Approval.objects.filter(decided_at=None),
        is_problem=False,
    ),
    QueueItem(
        "disputes",
        _("Disputes to settle"),
        "payments.dispute",
        "state=open",
        lambda now: Dispute.objects.filter(state=DisputeState.OPEN.value),
        is_problem=False,
    ),
    QueueItem("review", _("Payments under review"), "payments.payment", "waits=review", under_review),
    QueueItem("refunds", _("Refunds that failed"), "payments.refund", "waits=failed", failed_refunds),
    QueueItem(
        "transfers",
        _("Transfers that were refused"),
        "payments.operation",
        "waits=refused_transfers",
        refused_transfers,
    ),
    QueueItem("stuck", _("Calls at the provider that are stuck"), "payments.operation", "waits=stuck", stuck),
    QueueItem("slow", _("Webhooks waiting too long"), "webhooks.incomingevent", "waits=slow", slow_events),
    QueueItem(
        "given_up",
        _("Webhooks given up"),
        "webhooks.incomingevent",
        "state=failed",
        lambda now: IncomingEvent.objects.filter(state=EventState.FAILED),
    ),
    QueueItem(
        "quarantined",
        _("Webhooks in quarantine"),
        "webhooks.incomingevent",
        "state=quarantined",
        lambda now: IncomingEvent.objects.filter(state=EventState.QUARANTINED),
    ),
    QueueItem(
        "chargebacks",
        _("Chargebacks that hold money"),
        "payments.chargeback",
        "open=yes",
        lambda now: Chargeback.objects.exclude(status__in=HARMLESS),
    ),
)


def counts(now: datetime) -> dict[str, int]:
    """Return how many rows each item has, counted up to `COUNT_LIMIT`. One query."""
    first, *others = [_names(item, now) for item in ITEMS]
    found: dict[str, int] = {}
    for (name,) in first.union(*others, all=True):
        found[name] = found.get(name, 0) + 1
    return found


def _names(item: QueueItem, now: datetime) -> QuerySet[Any, tuple[str]]:
    named = item.rows(now).order_by().annotate(item=Value(item.name, output_field=CharField()))
    found: QuerySet[Any, tuple[str]] = named.values_list("item")[:COUNT_LIMIT]
    return found
