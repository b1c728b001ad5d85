"""The tokens of saved cards, where the provider leaves it to us which client saved a card."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a table, which the previous release does not know."""

    dependencies = [("payments", "0008_statement_starts_at")]

    operations = [
        migrations.CreateModel(
            "CardToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "method",
                    models.OneToOneField("payments.savedmethod", on_delete=models.CASCADE, related_name="token"),
                ),
                ("encrypted", models.TextField()),
                ("saved_at", models.DateTimeField()),
            ],
        ),
    ]
