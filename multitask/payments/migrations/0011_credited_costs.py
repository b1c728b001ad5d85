"""Finance can record costs of payouts that the provider gave back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One more kind of records about the budget; the table stays as it is."""

    dependencies = [("payments", "0010_identity_number")]

    operations = [
        migrations.AlterField(
            model_name="budgetrecord",
            name="kind",
            field=models.CharField(
                choices=[
                    ("settled_to_bank", "Settled To Bank"),
                    ("budget_topped_up", "Budget Topped Up"),
                    ("payout_costs_booked", "Costs Booked"),
                    ("costs_credited", "Costs Credited"),
                ],
                max_length=20,
            ),
        ),
    ]
