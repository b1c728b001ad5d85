"""Puts a job into the queue, in the caller's own transaction: it exists if and only if the change does.

Jobs are named, not imported: `multitask.jobs` stands to the left of this room and defines them.
"""

import json
from datetime import datetime
from typing import Final

from django.db import connection

from multitask.payments.models import Operation

PERFORM: Final = "perform_operation"
SETTLE: Final = "settle_escrow"
EMAIL: Final = "send_email"

# Jobs go in through the function that procrastinate's own deferring calls.
_JOB: Final = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, 0, NULL, NULL, %s::jsonb, %s::timestamptz)
       ]::procrastinate_job_to_defer_v1[])
"""
_WITH_JOB: Final = """
WITH made AS (INSERT INTO payments_operation ({columns}) VALUES ({marks}) RETURNING id)
SELECT made.id, procrastinate_defer_jobs_v1(ARRAY[
       ROW(%s, %s, 0, NULL, NULL, jsonb_build_object('operation_id', made.id), NULL)
       ]::procrastinate_job_to_defer_v1[])
  FROM made
"""

_QUEUES = {PERFORM: "operations", SETTLE: "operations", EMAIL: "emails"}


def defer(name: str, *, at: datetime | None = None, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` once the caller's transaction has committed, not before `at`.

    Errors are Django's, so that a transaction which lost its connection here runs again like any other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_JOB, [_QUEUES[name], name, json.dumps(arguments), at])


def insert_with_job(operation: Operation) -> Operation:
    """Insert an operation together with the job that performs it, in one statement, as every release waits for it."""
    fields = [field for field in Operation._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    values = [field.get_db_prep_save(field.pre_save(operation, True), connection) for field in fields]
    statement = _WITH_JOB.format(columns=columns, marks=", ".join(["%s"] * len(fields)))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, _QUEUES[PERFORM], PERFORM])
        operation.pk = cursor.fetchone()[0]
    operation._state.adding = False
    return operation
