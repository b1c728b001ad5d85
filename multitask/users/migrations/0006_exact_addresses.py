from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0005_session_proof")]

    operations = [
        migrations.AddField(
            model_name="loginattempt",
            name="exact_ip",
            field=models.GenericIPAddressField(null=True),
        ),
    ]
