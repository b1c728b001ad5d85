"""Defer jobs in the same transaction as the change that needs them, so that both or neither are committed.

Jobs are named, not imported, because `multitask.jobs` imports the packages that defer them.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, F, Func, OuterRef, Q, Subquery, Value

# The number of rows that one query covers.
BATCH: Final = 500

# The function that procrastinate itself calls to defer a job.
_JOB: Final = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, %s, NULL, NULL, %s::jsonb, %s::timestamptz)
       ]::procrastinate_job_to_defer_v1[])
"""


def defer(name: str, *, queue: str, at: datetime | None = None, priority: int = 0, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` after the caller's transaction is committed, not before `at`.

    Of the due jobs of a queue, those with a higher priority run first. Errors are Django's, so that `database.run`
    can retry the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_JOB, [queue, name, priority, json.dumps(arguments), at])


def is_queued(name: str, argument: str, *, by: datetime | None = None) -> Subquery:
    """Return, for each row of a query, whether a job `name` whose `argument` is the row's id still waits to start.

    With `by`, jobs that are scheduled for later than that do not count. A migration of `webhooks` creates an index on
    the argument of each job that is queried here, so it costs one index lookup per row. It counts instead of using
    EXISTS, because PostgreSQL would turn EXISTS into a join, whose plan is poor while the statistics are older than a
    backlog. Query batches of rows by their ids, to keep queries and transactions short.
    """
    from procrastinate.contrib.django.models import ProcrastinateJob  # Its app may not be loaded yet.

    number = Func(F("args"), Value(argument), function="multitask_job_number", output_field=BigIntegerField())
    waiting = ProcrastinateJob.objects.annotate(number=number)
    soon = Q() if by is None else Q(scheduled_at=None) | Q(scheduled_at__lte=by)
    return _Waits(waiting.filter(soon, status="todo", task_name=name, number=OuterRef("pk")).values("pk"))


def batches(row_ids: Sequence[int], size: int = BATCH) -> Iterator[Sequence[int]]:
    """Yield the ids in batches, for one query each."""
    for first in range(0, len(row_ids), size):
        yield row_ids[first : first + size]


class _Waits(Subquery):
    """A condition that a subquery has rows, in a form that PostgreSQL does not turn into a join."""

    template = "((SELECT count(*) FROM (%(subquery)s) AS found) > 0)"
    output_field = BooleanField()
