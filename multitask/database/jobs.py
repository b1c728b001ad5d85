"""Puts a job into the queue, in the caller's own transaction: it exists if and only if the change does.

Jobs are named, not imported: `multitask.jobs` stands to the left of every room that defers one.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, F, Func, OuterRef, Q, Subquery, Value

# How many rows one transaction asks about.
BATCH: Final = 500

# Jobs go in through the function that procrastinate's own deferring calls.
_JOB: Final = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, %s, NULL, NULL, %s::jsonb, %s::timestamptz)
       ]::procrastinate_job_to_defer_v1[])
"""


def defer(name: str, *, queue: str, at: datetime | None = None, priority: int = 0, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` once the caller's transaction has committed, not before `at`.

    Of the jobs of its queue that are due, those of a higher priority go first.

    Errors are Django's, so that a transaction which lost its connection here runs again like any other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_JOB, [queue, name, priority, json.dumps(arguments), at])


def is_queued(name: str, argument: str, *, by: datetime | None = None) -> Subquery:
    """Return for each row of a query whether a job `name` still waits to start whose `argument` is the row's id.

    With `by`, jobs that may only start later do not count. Each job that is asked for has an index on its argument,
    made by a migration of `webhooks`. It costs one lookup there per row, also when PostgreSQL's statistics are from
    before a backlog: it counts, as EXISTS would become a join, and the plan of that follows the statistics. Ask for
    a batch of rows by their ids, so that no long transaction and no long query comes of it.
    """
    from procrastinate.contrib.django.models import ProcrastinateJob  # Its app may not be loaded yet.

    number = Func(F("args"), Value(argument), function="multitask_job_number", output_field=BigIntegerField())
    waiting = ProcrastinateJob.objects.annotate(number=number)
    soon = Q() if by is None else Q(scheduled_at=None) | Q(scheduled_at__lte=by)
    return _Waits(waiting.filter(soon, status="todo", task_name=name, number=OuterRef("pk")).values("pk"))


def batches(row_ids: Sequence[int], size: int = BATCH) -> Iterator[Sequence[int]]:
    """Give the ids in batches, to be asked about in one transaction each."""
    for first in range(0, len(row_ids), size):
        yield row_ids[first : first + size]


class _Waits(Subquery):
    """Whether a subquery has rows, without becoming a join."""

    template = "((SELECT count(*) FROM (%(subquery)s) AS found) > 0)"
    output_field = BooleanField()
