"""Addresses in one normal form, and when each was confirmed.

Until now an address was its account's alone from registration on, so those count as confirmed. Two that turn out to
be one address stay with the older account; the other has to confirm it. What is no address any more, as its first
part is not ASCII, is replaced by one that reaches nobody: its owner is asked for another on every page.
"""

from django.db import migrations, models

from multitask.users import names


def normalise(apps, schema_editor):
    User = apps.get_model("users", "User")
    confirmed = set()
    for user in User.objects.order_by("pk").only("email", "created_at").iterator():
        address = names.email(user.email)
        is_own = address is not None and address not in confirmed
        if address is not None:
            confirmed.add(address)
        changed = address if address is not None else f"user-{user.pk}@address.invalid"
        User.objects.filter(pk=user.pk).update(email=changed, email_confirmed_at=user.created_at if is_own else None)


class Migration(migrations.Migration):
    dependencies = [("users", "0002_purposes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="email_confirmed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="session_epoch",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RemoveConstraint(model_name="user", name="users_user_email_unique"),
        migrations.RunPython(normalise, migrations.RunPython.noop),
    ]
