"""The moment at which the stored lines of a provider's account begin; what is older is part of the opening balance."""

from django.db import migrations, models

FILL = """
UPDATE payments_provideraccount AS account
   SET starts_at = coalesce(
       (SELECT min(happened_at) FROM payments_statementline line WHERE line.account_id = account.id), read_at)
 WHERE read_at IS NOT NULL
"""


class Migration(migrations.Migration):
    """Adds a column, which the previous release leaves empty."""

    dependencies = [("payments", "0007_many_at_once")]

    operations = [
        migrations.AddField("provideraccount", "starts_at", models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
