"""Indexes on the queue: the next job of one queue, and whether the job of a given row still waits."""

from django.db import migrations

NEXT = "multitask_jobs_next"
WAITING = {
    "multitask_jobs_webhooks": ("process_webhook", "event_id"),
    "multitask_jobs_operations": ("perform_operation", "operation_id"),
    "multitask_jobs_settlements": ("settle_escrow", "escrow_id"),
    "multitask_jobs_emails": ("send_email", "notice_id"),
}


def _index(name: str, task: str, argument: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE INDEX {name} ON procrastinate_jobs (((args ->> '{argument}')::bigint))"
        f" WHERE status = 'todo' AND task_name = '{task}'",
        f"DROP INDEX {name}",
    )


class Migration(migrations.Migration):
    """Only jobs that wait are in these indexes, so they stay small."""

    dependencies = [("webhooks", "0004_backlog"), ("procrastinate", "0041_post_retry_failed_job")]
    operations = [
        migrations.RunSQL(
            f"CREATE INDEX {NEXT} ON procrastinate_jobs (queue_name, priority DESC, id) INCLUDE (scheduled_at)"
            " WHERE status = 'todo'",
            f"DROP INDEX {NEXT}",
        ),
        *(_index(name, *of) for name, of in WAITING.items()),
    ]
