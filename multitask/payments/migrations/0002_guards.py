"""The totals of the history, and an audit trail that only grows."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
TOTALS, AUDIT = ((SQL / name).read_text() for name in ("history_totals.sql", "audit_guard.sql"))

UNDO_TOTALS = """
DROP TRIGGER payments_history_added ON payments_historyrow;
DROP TRIGGER payments_history_changed ON payments_historyrow;
DROP FUNCTION payments_history_totals_add();
DROP FUNCTION payments_history_totals_change();
"""
UNDO_AUDIT = """
DROP TRIGGER payments_audit_append_only ON payments_auditevent;
DROP TRIGGER payments_audit_no_truncate ON payments_auditevent;
DROP FUNCTION payments_audit_refuse();
"""


class Migration(migrations.Migration):
    """Adds triggers; the SQL is in `payments/sql/`."""

    dependencies = [("payments", "0001_initial")]
    operations = [
        migrations.RunSQL(TOTALS, UNDO_TOTALS),
        migrations.RunSQL(AUDIT, UNDO_AUDIT),
    ]
