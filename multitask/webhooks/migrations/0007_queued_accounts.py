"""Settlements are asked for by connected account: an index on the jobs of accounts in place of those of escrows."""

from django.db import migrations


def _create(name: str, task: str, argument: str) -> str:
    return (
        f"CREATE INDEX {name} ON procrastinate_jobs ((multitask_job_number(args, '{argument}')))"
        f" WHERE status = 'todo' AND task_name = '{task}'"
    )


class Migration(migrations.Migration):
    """Only jobs that wait are in the index, so it stays small."""

    dependencies = [("webhooks", "0006_queue_probe")]
    operations = [
        migrations.RunSQL(
            _create("multitask_queued_accounts", "settle_account", "account_id"),
            "DROP INDEX multitask_queued_accounts",
        ),
        migrations.RunSQL(
            "DROP INDEX multitask_queued_settlements",
            _create("multitask_queued_settlements", "settle_escrow", "escrow_id"),
        ),
    ]
