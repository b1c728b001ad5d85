"""Create the tables, guards and functions of the ledger from sql/; Django only reads them."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"


def sql(name: str) -> migrations.RunSQL:
    """Run one file of sql/ unchanged. It cannot be reversed: no migration drops the ledger."""
    return migrations.RunSQL([(SQL / name).read_text()])


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        sql("tables.sql"),
        sql("guards.sql"),
        sql("post.sql"),
        sql("post_many.sql"),
        sql("reads.sql"),
        sql("chain.sql"),
        sql("proof.sql"),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("code", models.TextField()),
                ("currency", models.TextField()),
                ("floor_minor", models.BigIntegerField(null=True)),
                ("shards", models.SmallIntegerField()),
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
                        "account_id", "shard", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("debits_minor", models.BigIntegerField()),
                ("credits_minor", models.BigIntegerField()),
                ("balance_minor", models.BigIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("floor_minor", models.BigIntegerField(null=True)),
                ("recorded_at", models.DateTimeField(null=True)),
                ("shard", models.SmallIntegerField()),
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
                ("currency", models.TextField()),
                ("amount_minor", models.BigIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("balance_after_minor", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("position", models.SmallIntegerField()),
                ("shard", models.SmallIntegerField()),
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
