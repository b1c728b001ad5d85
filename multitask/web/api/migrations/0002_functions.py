"""The functions that make answers of the API."""

from pathlib import Path

from django.db import migrations

HISTORY = (Path(__file__).resolve().parents[1] / "sql" / "history.sql").read_text()
UNDO_HISTORY = """
DROP FUNCTION api_history(bigint, text, text, text, bigint, int, text, jsonb);
DROP FUNCTION api_amount(bigint, text, jsonb);
DROP FUNCTION api_moment(timestamptz);
"""


class Migration(migrations.Migration):
    """Adds functions; the SQL is in `web/api/sql/`."""

    dependencies = [("api", "0001_initial"), ("payments", "0002_guards")]
    operations = [migrations.RunSQL(HISTORY, UNDO_HISTORY)]
