"""Whether a periodic job has something to do: a bounded query for each, asked at every tick in place of a job.

What has no check here runs at every tick. A check may be wrong in one direction: a job that finds nothing does no
harm. Without a check are:

- `refresh_open`: whether anything is open that is due this minute is what the job itself reads, group by group. It also
  lists at the provider what we cannot know of, and notes the minute up to which it has polled.
- `check_books` and `purge_expired`: once an hour each, and their work is to look at everything.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from multitask.database import jobs
from multitask.ledger import chain
from multitask.payments.books.proof import statements
from multitask.payments.escrow import auto_release, refund_payouts, refunds
from multitask.payments.funding import cancellations, unfunded
from multitask.payments.losses import adjustments
from multitask.payments.notices import emails, notices, reminders
from multitask.payments.operations import sweeper
from multitask.payments.payouts import (
    account_moves,
    availability,
    budget,
    budget_shortage,
    overdue_payouts,
    withdrawal_cancellation,
)
from multitask.webhooks import incoming, statement


def _budgets(now: datetime) -> bool:
    return bool(
        withdrawal_cancellation.to_removed_destinations()
        or refund_payouts.are_waiting()
        or overdue_payouts.due(now=now)
        or budget.waiting(now=now)
        or budget.awaiting_turn()
        or budget_shortage.due(now=now)
    )


CHECKS: Final[Mapping[str, Callable[[datetime], bool]]] = {
    "accept_silent": lambda now: bool(refunds.unanswered(now=now)),
    "allot_budgets": _budgets,
    "cancel_left_open": lambda now: bool(cancellations.left_open(now=now)),
    "close_unfunded": lambda now: bool(unfunded.due(now=now)),
    "collect_notices": lambda now: notices.are_due(now=now),
    "compare_budgets": lambda _now: bool(budget.routed()),
    "extend_chain": lambda _now: chain.is_behind(),
    "make_adjustments_available": lambda now: bool(adjustments.due(now=now)),
    "make_due_available": lambda now: bool(availability.due(now=now)),
    "move_to_successors": lambda now: bool(account_moves.due(now=now)),
    "process_newest": lambda now: incoming.are_late(now=now),
    "publish_statement": lambda now: statements.is_due(now=now),
    "queue_statements": lambda now: statement.are_due(now=now),
    "release_silent": lambda now: bool(auto_release.due(now=now)),
    "remind_clients": lambda now: notices.are_nearing(now=now) or reminders.are_due(now=now),
    "retry_stalled": lambda _now: jobs.has_stalled(),
    "sweep_emails": lambda now: emails.are_lost(now=now),
    "sweep_operations": lambda now: sweeper.is_due(now=now),
    "sweep_webhooks": lambda now: incoming.are_overdue(now=now),
}
