"""Reads that tell held money in full, why it is held, and what of a share is left, at a cost that does not grow."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
CONTESTS, WALLET, DETAIL = ((SQL / f"{name}.sql").read_text() for name in ("contests", "wallet", "escrow_detail"))


class Migration(migrations.Migration):
    """Replaces functions whose SQL is in `payments/sql/`; a database made anew has them already."""

    dependencies = [("payments", "0002_guards")]
    operations = [
        migrations.RunSQL(CONTESTS, "DROP FUNCTION payments_contests(bigint)"),
        migrations.RunSQL(WALLET, migrations.RunSQL.noop),
        migrations.RunSQL(DETAIL, migrations.RunSQL.noop),
    ]
