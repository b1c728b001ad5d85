"""The sweeper: queues a job for each operation whose job was lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q, QuerySet

from multitask import database
from multitask.database import jobs
from multitask.payments.models import Operation
from multitask.payments.operations import queue
from multitask.payments.operations.attempt import CLAIM
from multitask.payments.states import OPEN_OPERATIONS, OperationState

# No attempt is put off for this long: a later time was written by a clock that was ahead.
IMPOSSIBLE_DELAY: Final = timedelta(hours=2)
_OLDEST: Final = F("next_attempt_at").asc(nulls_first=True)


def sweep(*, now: datetime, limit: int = 500) -> int:
    """Defer a job for at most `limit` due operations that have none queued; return how many.

    One whose next attempt lies impossibly far ahead gets a job too: a clock that was ahead wrote it.
    """
    oldest = _overdue(now).order_by(_OLDEST).values_list("pk", flat=True)
    found = 0
    for batch in jobs.batches(list(oldest)):
        found += _sweep_some(batch, now, limit - found) if found < limit else 0
    return found


def is_due(*, now: datetime) -> bool:
    """Return whether an operation is due, with a job or without."""
    return _overdue(now).exists()


def _overdue(now: datetime) -> QuerySet[Operation]:
    due = Q(next_attempt_at__lte=now) | Q(next_attempt_at=None) | Q(next_attempt_at__gt=now + IMPOSSIBLE_DELAY)
    return Operation.objects.filter(due, state__in=[s.value for s in OPEN_OPERATIONS], hold="")


@database.transactional
def _sweep_some(operation_ids: Sequence[int], now: datetime, limit: int) -> int:
    lost = Operation.objects.select_for_update(no_key=True, skip_locked=True).filter(
        ~jobs.is_queued(queue.PERFORM, "operation_id", by=now + IMPOSSIBLE_DELAY), pk__in=operation_ids
    )
    # Filtered in Python under the lock: in the query it makes PostgreSQL read the index of open rows for each batch.
    stale = [operation for operation in lost.order_by(_OLDEST, "pk") if _is_overdue(operation, now)][:limit]
    for operation in stale:
        queue.defer(queue.PERFORM, operation_id=operation.pk)
    Operation.objects.filter(pk__in=[operation.pk for operation in stale]).update(next_attempt_at=now + CLAIM)
    return len(stale)


def _is_overdue(operation: Operation, now: datetime) -> bool:
    at, is_open = operation.next_attempt_at, OperationState(operation.state) in OPEN_OPERATIONS
    return is_open and not operation.hold and (at is None or at <= now or at > now + IMPOSSIBLE_DELAY)
