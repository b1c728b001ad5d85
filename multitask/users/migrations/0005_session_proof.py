from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0004_addresses_in_normal_form")]

    operations = [
        migrations.AddField(
            model_name="refreshtoken",
            name="proved_by",
            field=models.BigIntegerField(null=True),
        ),
    ]
