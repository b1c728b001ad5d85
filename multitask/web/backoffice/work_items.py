"""The items of the staff's work queue, in the order in which the home page shows them, and their counts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import CharField, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from multitask.payments.escrow import hold_limits
from multitask.payments.models import Approval, Dispute
from multitask.payments.payouts import account_moves
from multitask.payments.states import DisputeState
from multitask.web.backoffice import work_queue
from multitask.webhooks.models import EventState, IncomingEvent

# Beyond this the overview shows "99+", so that counting never reads more rows.
COUNT_LIMIT: Final = 100


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
    QueueItem(
        "identities",
        _("Identities to confirm"),
        "payments.payeeidentity",
        "state=submitted",
        work_queue.identities,
        is_problem=False,
    ),
    QueueItem(
        "differences",
        _("Accounts that differ from the provider"),
        "payments.reconciliation",
        "waits=different",
        work_queue.differences,
    ),
    QueueItem(
        "unreadable_lines",
        _("Statement lines in flight of closed payout accounts"),
        "payments.statementline",
        "waits=unreadable",
        work_queue.unreadable_lines,
    ),
    QueueItem(
        "open_lines", _("Statement lines to explain"), "payments.statementline", "waits=open", work_queue.open_lines
    ),
    QueueItem(
        "hold",
        _("Money that may not be held much longer"),
        "payments.escrow",
        "waits=hold",
        hold_limits.nearing,
    ),
    QueueItem(
        "stranded",
        _("Money of tasks that were called off"),
        "payments.escrow",
        "waits=stranded",
        work_queue.stranded_money,
    ),
    QueueItem("review", _("Payments under review"), "payments.payment", "waits=review", work_queue.under_review),
    QueueItem(
        "unnamed_tries",
        _("Paid orders whose transaction is unknown"),
        "payments.payment",
        "waits=unnamed",
        work_queue.unnamed_tries,
    ),
    QueueItem(
        "left_behind",
        _("Money in payout accounts that were replaced"),
        "payments.connectedaccount",
        "waits=left_behind",
        account_moves.left_behind,
    ),
    QueueItem("refunds", _("Refunds that failed"), "payments.refund", "waits=failed", work_queue.failed_refunds),
    QueueItem(
        "undecided_refunds",
        _("Refunds of unknown outcome to decide about"),
        "payments.refund",
        "waits=undecided",
        work_queue.undecided_refunds,
    ),
    QueueItem(
        "refunds_without_destination",
        _("Refunds that wait for payout details of their client"),
        "payments.refund",
        "waits=destination",
        work_queue.refunds_without_destination,
    ),
    QueueItem(
        "refunds_paid_after_failure",
        _("Refunds that were paid after they had failed"),
        "payments.disbursement",
        "waits=paid_after_failure",
        work_queue.refunds_paid_after_failure,
    ),
    QueueItem(
        "transfers",
        _("Transfers that were refused"),
        "payments.operation",
        "waits=refused_transfers",
        work_queue.refused_transfers,
    ),
    QueueItem(
        "closed_accounts",
        _("Money in closed payout accounts"),
        "payments.connectedaccount",
        "waits=closed",
        work_queue.closed_accounts,
    ),
    QueueItem(
        "unreadable_payouts",
        _("Withdrawals under way from closed payout accounts"),
        "payments.withdrawal",
        "waits=unreadable",
        work_queue.unreadable_payouts,
    ),
    QueueItem(
        "paid_after_return",
        _("Withdrawals that were paid after their money was given back"),
        "payments.withdrawal",
        "waits=paid_after_return",
        work_queue.paid_after_return,
    ),
    QueueItem(
        "undecided_payouts",
        _("Payouts of unknown outcome to decide about"),
        "payments.disbursement",
        "waits=undecided",
        work_queue.undecided_payouts,
    ),
    QueueItem(
        "withheld_payouts",
        _("Payouts to people who must not be paid"),
        "payments.disbursement",
        "waits=withheld",
        work_queue.withheld_payouts,
    ),
    QueueItem(
        "short_budgets", _("Payout budgets to top up"), "payments.payoutbudget", "waits=short", work_queue.short_budgets
    ),
    QueueItem(
        "differing_budgets",
        _("Payout budgets that differ from the provider"),
        "payments.payoutbudget",
        "waits=different",
        work_queue.differing_budgets,
    ),
    QueueItem(
        "stuck", _("Calls at the provider that are stuck"), "payments.operation", "waits=stuck", work_queue.stuck
    ),
    QueueItem("slow", _("Webhooks waiting too long"), "webhooks.incomingevent", "waits=slow", work_queue.slow_events),
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
        "reversals",
        _("Reversals to decide about"),
        "payments.reversal",
        "waits=undecided",
        work_queue.undecided_reversals,
    ),
    QueueItem(
        "evidence_due",
        _("Chargebacks to answer within three days"),
        "payments.chargeback",
        "waits=due",
        work_queue.evidence_due,
    ),
    QueueItem(
        "unbooked_losses",
        _("Lost chargebacks to book"),
        "payments.chargeback",
        "waits=unbooked",
        work_queue.unbooked_losses,
    ),
    QueueItem(
        "unexplained_chargebacks",
        _("Chargebacks with unreconciled money"),
        "payments.chargeback",
        "waits=unexplained",
        work_queue.unexplained_chargebacks,
    ),
    QueueItem(
        "fraud_warnings",
        _("Fraud warnings to decide"),
        "payments.fraudwarning",
        "waits=open",
        work_queue.fraud_warnings,
    ),
    QueueItem(
        "inquiries",
        _("Inquiries of banks to answer"),
        "payments.chargeback",
        "waits=inquiries",
        work_queue.inquiries,
        is_problem=False,
    ),
    QueueItem(
        "chargebacks", _("Chargebacks that hold money"), "payments.chargeback", "waits=open", work_queue.contested
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
