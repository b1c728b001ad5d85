"""The runs that deleted old idempotency records."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a table of at most 48 rows. Records are deleted again after 48 hourly runs of this release."""

    dependencies = [("api", "0002_functions")]
    operations = [
        migrations.CreateModel(
            name="IdempotencyPurge",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("highest_id", models.BigIntegerField()),
            ],
        ),
    ]
