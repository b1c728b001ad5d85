"""What of a reversal that was given up had been paid out ahead, and an index for payouts that were ahead."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add only: a column with a default, a check and a partial index."""

    dependencies = (("payments", "0003_money_among_many"),)

    operations = (
        migrations.AddField("reversal", "ahead_minor", models.BigIntegerField(default=0)),
        migrations.AddConstraint(
            "reversal",
            models.CheckConstraint(
                condition=models.Q(ahead_minor__gte=0, ahead_minor__lte=models.F("amount_minor")),
                name="payments_reversal_ahead",
            ),
        ),
        migrations.AddIndex(
            "withdrawal",
            models.Index(fields=["user"], condition=models.Q(ahead_minor__gt=0), name="payments_withdrawal_ahead"),
        ),
    )
