"""Writes several releases, and several fundings, in one statement each."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
LOCKS, FUND, RELEASE_MANY = ((SQL / f"{name}.sql").read_text() for name in ("escrowed_locks", "fund", "release_many"))


class Migration(migrations.Migration):
    """Adds functions."""

    dependencies = [("payments", "0006_reversals_of_adjustments")]

    operations = [
        migrations.RunSQL(LOCKS, "DROP FUNCTION payments_lock_escrowed(bigint[])"),
        migrations.RunSQL(FUND, "DROP FUNCTION payments_fund(timestamptz, jsonb, jsonb)"),
        migrations.RunSQL(RELEASE_MANY, "DROP FUNCTION payments_release_many(jsonb, jsonb, jsonb, jsonb)"),
    ]
