"""The moment at which the stored lines of a provider's account begin; what is older is part of the opening balance."""

from django.db import migrations, models

# Only an opening line says when it was. Elsewhere the moment is found as at the first reading, at the next one.
FILL = """
UPDATE payments_provideraccount AS account SET starts_at = opening.happened_at
  FROM payments_reconciliation reconciliation, payments_statementline opening
 WHERE reconciliation.account_id = account.id AND opening.account_id = account.id
   AND opening.provider_line_id = 'opening:' || reconciliation.currency
"""


class Migration(migrations.Migration):
    """Adds a column, which the previous release leaves empty."""

    dependencies = [("payments", "0007_many_at_once")]

    operations = [
        migrations.AddField("provideraccount", "starts_at", models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
