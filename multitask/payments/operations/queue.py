"""The jobs that payments defer, each in the same transaction as the change that needs it."""

from datetime import datetime
from typing import Any, Final

from django.db import connection

from multitask.database import jobs
from multitask.payments.models import Operation

PERFORM: Final = "perform_operation"
MAKE_AVAILABLE: Final = "make_available"
MAKE_ACCOUNT_AVAILABLE: Final = "make_account_available"
EMAIL: Final = "send_email"
ALLOT_BUDGET: Final = "allot_budget"
COMPARE_BUDGET: Final = "compare_budget"

_WITH_JOB: Final = """
WITH made AS (INSERT INTO payments_operation ({columns}) VALUES ({marks}) RETURNING id)
SELECT made.id, procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, 0, NULL, NULL, jsonb_build_object('operation_id', made.id), NULL)
       ]::procrastinate_job_to_defer_v1[])
  FROM made
"""

_QUEUES = {
    PERFORM: "operations",
    MAKE_AVAILABLE: "operations",
    MAKE_ACCOUNT_AVAILABLE: "operations",
    EMAIL: "emails",
    ALLOT_BUDGET: "operations",
    COMPARE_BUDGET: "operations",
}


def defer(name: str, *, at: datetime | None = None, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` once the caller's transaction has committed, not before `at`."""
    jobs.defer(name, queue=_QUEUES[name], at=at, priority=0, **arguments)


def is_performed(operation: Operation, *, by: datetime) -> bool:
    """Return whether a job waits that performs an operation by then, such as one that staff asked for.

    A further one would be repeated for as long as the operation is open.
    """
    waiting = Operation.objects.filter(jobs.is_queued(PERFORM, "operation_id", by=by), pk=operation.pk)
    return waiting.exists()


def first_operation(
    kind: str,
    *,
    subject_id: int,
    provider: str,
    now: datetime,
    escrow_id: int | None = None,
    user_id: int | None = None,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Return a subject's first operation for `payments_write_operation`, which writes what `engine.begin` does."""
    return {
        "kind": kind,
        "subject_id": subject_id,
        "sequence": 1,
        "escrow_id": escrow_id,
        "user_id": user_id,
        "provider": provider,
        "arguments": arguments,
        "created_at": now.isoformat(),
    }


def insert_with_job(operation: Operation) -> Operation:
    """Insert an operation and its job in one statement, since every release waits for it."""
    fields = [field for field in Operation._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    values = [field.get_db_prep_save(field.pre_save(operation, True), connection) for field in fields]
    statement = _WITH_JOB.format(columns=columns, marks=", ".join(["%s"] * len(fields)))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, _QUEUES[PERFORM], PERFORM])
        operation.pk = cursor.fetchone()[0]
    operation._state.adding = False
    return operation
