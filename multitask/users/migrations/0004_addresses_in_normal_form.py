from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0003_confirmed_addresses")]

    operations = [
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["email", "id"], name="users_user_email"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                condition=models.Q(("email_confirmed_at__isnull", False)),
                fields=("email",),
                name="users_user_email_confirmed_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("email__regex", "^[\\u0020-\\u0040\\u005b-\\u007e]*$")),
                name="users_user_email_normal",
            ),
        ),
    ]
