from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="incomingevent",
            index=models.Index(
                condition=models.Q(("object_id", ""), _negated=True),
                fields=["object_id"],
                name="webhooks_incoming_object",
            ),
        ),
    ]
