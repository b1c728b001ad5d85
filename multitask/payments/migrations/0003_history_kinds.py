"""One index for every filter of the history, in place of two for one filter each."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Exchanges the indexes."""

    dependencies = [("payments", "0002_guards")]
    operations = [
        migrations.AddIndex(
            model_name="historyrow",
            index=models.Index(
                fields=["user", "type", "status", "currency", "-id"],
                name="payments_history_kind",
            ),
        ),
        migrations.RemoveIndex(model_name="historyrow", name="payments_history_type"),
        migrations.RemoveIndex(model_name="historyrow", name="payments_history_status"),
    ]
