"""An index that finds identities whose numbers look alike, to warn of one number that two users have entered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds an index; the table has a row per payee, so it takes a moment at most."""

    dependencies = [("payments", "0009_card_tokens")]

    operations = [
        migrations.AddIndex(
            "payeeidentity",
            models.Index(
                fields=["masked_number"], condition=models.Q(replaced_at=None), name="payments_identity_number"
            ),
        ),
    ]
