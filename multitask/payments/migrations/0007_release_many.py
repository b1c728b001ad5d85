"""Writes several releases at once, as silence causes them."""

from pathlib import Path

from django.db import migrations

RELEASE_MANY = (Path(__file__).resolve().parents[1] / "sql" / "release_many.sql").read_text()


class Migration(migrations.Migration):
    """Adds a function."""

    dependencies = [("payments", "0006_reversals_of_adjustments")]

    operations = [
        migrations.RunSQL(RELEASE_MANY, "DROP FUNCTION payments_release_many(jsonb, jsonb, jsonb, jsonb)"),
    ]
