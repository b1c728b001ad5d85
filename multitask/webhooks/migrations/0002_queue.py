"""Adapt the tables of procrastinate: nothing is written beside a job, and indexes for the queries of this project."""

from django.db import migrations

# What procrastinate does with each job: announce it, and record each of its states in another table.
TRIGGERS = (
    "procrastinate_jobs_notify_queue_job_inserted_v1",
    "procrastinate_trigger_status_events_insert_v1",
    "procrastinate_trigger_status_events_update_v1",
    "procrastinate_trigger_scheduled_events_v1",
    "procrastinate_trigger_abort_requested_events_v1",
)
# Indexes for procrastinate's own functions that take jobs, by several queues or by locks, neither of which we use.
UNUSED = {
    "procrastinate_jobs_queue_name_idx_v1": "INDEX {name} ON procrastinate_jobs (queue_name)",
    "procrastinate_jobs_id_lock_idx_v1": "INDEX {name} ON procrastinate_jobs (id, lock) WHERE status IN ('todo', 'doing')",
    "procrastinate_jobs_priority_idx_v1": "INDEX {name} ON procrastinate_jobs (priority DESC, id) WHERE status = 'todo'",
    "procrastinate_jobs_lock_idx_v1": "UNIQUE INDEX {name} ON procrastinate_jobs (lock) WHERE status = 'doing'",
}

# By the name of an index: the task and the argument that holds the id of a row.
WAITING = {
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


def _without_trigger(name: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"ALTER TABLE procrastinate_jobs DISABLE TRIGGER {name}",
        f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {name}",
    )


def _by_argument(name: str, task: str, argument: str) -> migrations.RunSQL:
    """Create the index that finds the waiting job of a given row."""
    return _index(
        f"multitask_queued_{name}", f"((multitask_job_number(args, '{argument}')))", f" AND task_name = '{task}'"
    )


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial"), ("procrastinate", "0041_post_retry_failed_job")]
    operations = [
        # Workers poll for jobs, and what has become of a job is not recorded: see docs/decisions, 14 and 37.
        *(_without_trigger(name) for name in TRIGGERS),
        *(migrations.RunSQL(f"DROP INDEX {name}", f"CREATE {made.format(name=name)}") for name, made in UNUSED.items()),
        # How long a job has waited.
        migrations.RunSQL(
            "ALTER TABLE procrastinate_jobs ADD COLUMN deferred_at timestamptz NOT NULL DEFAULT now()",
            "ALTER TABLE procrastinate_jobs DROP COLUMN deferred_at",
        ),
        # Rows come and go, so dead ones are removed after a fixed number, not after a share of the table.
        migrations.RunSQL(
            "ALTER TABLE procrastinate_jobs"
            " SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
            "ALTER TABLE procrastinate_jobs RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
        # Bodies lie beside the table: then the update that ends an event does not write its body again.
        migrations.RunSQL(
            "ALTER TABLE webhooks_incomingevent SET (toast_tuple_target = 128)",
            "ALTER TABLE webhooks_incomingevent RESET (toast_tuple_target)",
        ),
        # The next job of one queue. No job lacks a queue: the condition keeps this index from queries that do not name
        # one. With old statistics it seems as good for them as the index on queueing locks.
        _index(
            "multitask_jobs_next",
            "(queue_name, priority DESC, id) INCLUDE (scheduled_at)",
            " AND queue_name IS NOT NULL",
        ),
        migrations.RunSQL(NUMBER, "DROP FUNCTION multitask_job_number(jsonb, text)"),
        *(_by_argument(name, *of) for name, of in WAITING.items()),
    ]
