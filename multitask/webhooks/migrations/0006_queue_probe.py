"""Indexes by which PostgreSQL always looks for the job of a given row, whatever its statistics say."""

from django.db import migrations

WAITING = {
    "webhooks": ("process_webhook", "event_id"),
    "operations": ("perform_operation", "operation_id"),
    "settlements": ("settle_escrow", "escrow_id"),
    "emails": ("send_email", "notice_id"),
}

# With statistics from before a backlog, each partial index on what waits promises one row, so reading all of another
# index costs no more than one lookup in the right one. The stated cost of this function decides it: only the lookup
# in an index on the function does without calling it. PL/pgSQL, since a function in SQL would be inlined.
NUMBER = """
CREATE FUNCTION multitask_job_number(args jsonb, argument text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
AS $$ BEGIN RETURN (args ->> argument)::bigint; END $$
"""


def _create(name: str, task: str, number: str) -> str:
    return f"CREATE INDEX {name} ON procrastinate_jobs (({number})) WHERE status = 'todo' AND task_name = '{task}'"


def _replace(name: str, task: str, argument: str) -> list[migrations.RunSQL]:
    """Put the index on the function in the place of the one on the bare expression."""
    new, old = f"multitask_queued_{name}", f"multitask_jobs_{name}"
    return [
        migrations.RunSQL(_create(new, task, f"multitask_job_number(args, '{argument}')"), f"DROP INDEX {new}"),
        migrations.RunSQL(f"DROP INDEX {old}", _create(old, task, f"(args ->> '{argument}')::bigint")),
    ]


class Migration(migrations.Migration):
    """Only jobs that wait are in these indexes, so they stay small."""

    dependencies = [("webhooks", "0005_queue_indexes")]
    operations = [
        migrations.RunSQL(NUMBER, "DROP FUNCTION multitask_job_number(jsonb, text)"),
        *(operation for name, of in WAITING.items() for operation in _replace(name, *of)),
    ]
