"""Creates the books: tables, guards and functions from sql/; Django only knows how to read them."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"


def sql(name: str) -> migrations.RunSQL:
    """Run one file as it stands; a file that was applied is never edited, a later one replaces its functions.

    There is no way back: the books are not dropped by a migration.
    """
    return migrations.RunSQL([(SQL / name).read_text()])


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        sql("0001_tables.sql"),
        sql("0001_guards.sql"),
        sql("0001_post.sql"),
        sql("0001_reads.sql"),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("code", models.TextField()),
                ("currency", models.TextField()),
                ("floor_minor", models.BigIntegerField(null=True)),
                ("stripes", models.SmallIntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_account",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Balance",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "stripe", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("debits_minor", models.BigIntegerField()),
                ("credits_minor", models.BigIntegerField()),
                ("balance_minor", models.BigIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("floor_minor", models.BigIntegerField(null=True)),
                ("recorded_at", models.DateTimeField(null=True)),
                ("stripe", models.SmallIntegerField()),
            ],
            options={
                "db_table": "ledger_balance",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "transaction_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("balance_after_minor", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("position", models.SmallIntegerField()),
                ("stripe", models.SmallIntegerField()),
            ],
            options={
                "db_table": "ledger_entry",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("scope", models.TextField()),
                ("key", models.TextField()),
                ("request_hash", models.BinaryField()),
                ("legs", models.SmallIntegerField()),
                ("effective_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("description", models.TextField()),
                ("details", models.JSONField()),
            ],
            options={
                "db_table": "ledger_transaction",
                "managed": False,
            },
        ),
    ]
