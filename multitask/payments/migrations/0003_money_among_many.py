"""Reads that tell held money in full, why it is held, and what of a share is left, at a cost that does not grow."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"
FILES = ("contests", "earned_after", "wallet", "escrow_detail")
CONTESTS, EARNED_AFTER, WALLET, DETAIL = ((SQL / f"{name}.sql").read_text() for name in FILES)
UNDO_EARNED_AFTER = "DROP FUNCTION payments_earned_after(bigint, text, timestamptz, bigint, bigint)"


class Migration(migrations.Migration):
    """Adds indexes and functions; the SQL is in `payments/sql/`, and a new database has the replaced ones already."""

    dependencies = [("payments", "0002_guards")]
    operations = [
        migrations.AddIndex(
            model_name="escrow",
            index=models.Index(
                fields=["freelancer", "currency", "made_available_at", "id"],
                include=[
                    "released_minor",
                    "released_fee_minor",
                    "netted_minor",
                    "contested_minor",
                    "reclaimed_minor",
                ],
                condition=models.Q(("made_available_at__isnull", False)),
                name="payments_escrow_earned",
            ),
        ),
        migrations.AddIndex(
            model_name="withdrawal",
            index=models.Index(
                fields=["user"],
                condition=models.Q(("state__in", ["pending", "processing"])),
                name="payments_withdrawal_open",
            ),
        ),
        migrations.RunSQL(CONTESTS, "DROP FUNCTION payments_contests(bigint)"),
        migrations.RunSQL(EARNED_AFTER, UNDO_EARNED_AFTER),
        migrations.RunSQL(WALLET, migrations.RunSQL.noop),
        migrations.RunSQL(DETAIL, migrations.RunSQL.noop),
    ]
