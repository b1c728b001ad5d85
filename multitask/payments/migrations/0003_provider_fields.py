"""Neutral names for what providers tell us, and ids that are unique per provider."""

from typing import Any, ClassVar

import django.contrib.postgres.fields
from django.db import migrations, models

_UNIQUE = [
    ("refund", "provider_refund_id", "payments_refund_provider_id"),
    ("withdrawal", "provider_payout_id", "payments_withdrawal_provider_id"),
    ("chargeback", "provider_dispute_id", "payments_chargeback_provider_id"),
    ("savedmethod", "provider_method_id", "payments_method_provider_id"),
]


def _unique_per_provider(model: str, field: str, name: str) -> list[Any]:
    is_optional = model in {"refund", "withdrawal"}
    return [
        migrations.AlterField(model, field, models.CharField(max_length=255, null=is_optional)),
        migrations.AddConstraint(model, models.UniqueConstraint(fields=["provider", field], name=name)),
    ]


class Migration(migrations.Migration):
    """All rows so far were made with Stripe."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("payments", "0002_guards")]

    operations: ClassVar[list[Any]] = [
        migrations.RemoveIndex("payment", "payments_payment_charge"),
        migrations.RenameField("payment", "client_secret", "payer_token"),
        migrations.RenameField("payment", "provider_charge_id", "provider_collection_id"),
        migrations.AlterField("payment", "payer_token", models.CharField(blank=True, default="", max_length=2000)),
        migrations.AddIndex(
            "payment",
            models.Index(
                fields=["provider_collection_id"],
                condition=~models.Q(provider_collection_id=""),
                name="payments_payment_collection",
            ),
        ),
        migrations.AddField(
            "refund", "provider", models.CharField(max_length=20, default="stripe"), preserve_default=False
        ),
        migrations.AddField(
            "savedmethod", "provider", models.CharField(max_length=20, default="stripe"), preserve_default=False
        ),
        migrations.AddField(
            "connectedaccount",
            "bank_currencies",
            django.contrib.postgres.fields.ArrayField(models.CharField(max_length=3), default=list, size=None),
        ),
        *[step for unique in _UNIQUE for step in _unique_per_provider(*unique)],
    ]
