"""Jobs are looked for, not announced: see `docs/decisions/0014-workers-look-for-jobs.md`."""

from django.db import migrations

TRIGGER = "procrastinate_jobs_notify_queue_job_inserted_v1"


class Migration(migrations.Migration):
    """Switches off the notice that procrastinate sends for each new job."""

    dependencies = [("webhooks", "0002_found_at_once"), ("procrastinate", "0041_post_retry_failed_job")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE procrastinate_jobs DISABLE TRIGGER {TRIGGER}",
            f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {TRIGGER}",
        )
    ]
