from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="loginattempt",
            name="purpose",
            field=models.CharField(db_default="login", default="login", max_length=20),
        ),
    ]
