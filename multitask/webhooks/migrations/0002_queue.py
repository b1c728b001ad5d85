"""Adapt the tables of procrastinate: no notification for each new job, and indexes for the queries of this project."""

from django.db import migrations

TRIGGER = "procrastinate_jobs_notify_queue_job_inserted_v1"

# By the name of an index: the task and the argument that holds the id of a row.
WAITING = {
    "webhooks": ("process_webhook", "event_id"),
    "operations": ("perform_operation", "operation_id"),
    "settlements": ("make_account_available", "account_id"),
    "emails": ("send_email", "notice_id"),
}

# If the statistics are older than a backlog, PostgreSQL expects one row from each partial index on waiting jobs, and
# then reading another index completely seems as cheap as one lookup in the right one. The declared cost of this
# function decides it: only a lookup in an index on the function avoids calling it. It is written in PL/pgSQL because a
# function in SQL would be inlined.
NUMBER = """
CREATE FUNCTION multitask_job_number(args jsonb, argument text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
AS $$ BEGIN RETURN (args ->> argument)::bigint; END $$
"""


def _index(name: str, columns: str, condition: str = "") -> migrations.RunSQL:
    """Create an index on the jobs that wait. Only these are in it, so it stays small."""
    return migrations.RunSQL(
        f"CREATE INDEX {name} ON procrastinate_jobs {columns} WHERE status = 'todo'{condition}", f"DROP INDEX {name}"
    )


def _by_argument(name: str, task: str, argument: str) -> migrations.RunSQL:
    """Create the index that finds the waiting job of a given row."""
    return _index(
        f"multitask_queued_{name}", f"((multitask_job_number(args, '{argument}')))", f" AND task_name = '{task}'"
    )


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial"), ("procrastinate", "0041_post_retry_failed_job")]
    operations = [
        # Workers poll for jobs: see docs/decisions/0014-workers-look-for-jobs.md.
        migrations.RunSQL(
            f"ALTER TABLE procrastinate_jobs DISABLE TRIGGER {TRIGGER}",
            f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {TRIGGER}",
        ),
        # The next job of one queue.
        _index("multitask_jobs_next", "(queue_name, priority DESC, id) INCLUDE (scheduled_at)"),
        migrations.RunSQL(NUMBER, "DROP FUNCTION multitask_job_number(jsonb, text)"),
        *(_by_argument(name, *of) for name, of in WAITING.items()),
    ]
