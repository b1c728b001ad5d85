"""Reversals of the transfers of adjustments, which were made at the provider."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

WALLET = (Path(__file__).resolve().parents[1] / "sql" / "wallet.sql").read_text()


class Migration(migrations.Migration):
    """Adds a table and a column with a default; the wallet's function subtracts what was reversed."""

    dependencies = [("payments", "0005_record_payout_costs")]

    operations = [
        migrations.CreateModel(
            name="AdjustmentReversal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "adjustment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="payments.adjustment",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.connectedaccount"
                    ),
                ),
                ("provider", models.CharField(max_length=20)),
                ("provider_reversal_id", models.CharField(max_length=255)),
                ("amount_minor", models.BigIntegerField()),
                ("ahead_minor", models.BigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["provider", "provider_reversal_id"], name="payments_adjustment_reversal_id"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            amount_minor__gt=0, ahead_minor__gte=0, ahead_minor__lte=models.F("amount_minor")
                        ),
                        name="payments_adjustment_reversal_amounts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                        name="payments_adjustment_reversal_currency",
                    ),
                ],
            },
        ),
        migrations.AddField("adjustment", "reversed_minor", models.BigIntegerField(default=0)),
        migrations.AddConstraint(
            "adjustment",
            models.CheckConstraint(
                condition=models.Q(reversed_minor=0)
                | models.Q(
                    reversed_minor__gt=0, amount_minor__gte=models.F("netted_minor") + models.F("reversed_minor")
                ),
                name="payments_adjustment_reversed",
            ),
        ),
        migrations.RunSQL(WALLET, migrations.RunSQL.noop),
    ]
