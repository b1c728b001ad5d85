import uuid

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("username", models.CharField(max_length=150, unique=True)),
                ("email", models.EmailField(max_length=254)),
                ("email_confirmed_at", models.DateTimeField(editable=False, null=True)),
                ("session_epoch", models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ("is_client", models.BooleanField(default=False)),
                ("is_freelancer", models.BooleanField(default=False)),
                (
                    "staff_role",
                    models.CharField(
                        blank=True,
                        choices=[("", "not staff"), ("support", "support"), ("finance", "finance"), ("admin", "admin")],
                        default="",
                        max_length=10,
                    ),
                ),
                ("is_staff", models.BooleanField(default=False, editable=False)),
                ("is_active", models.BooleanField(default=True)),
                ("country", models.CharField(default="US", max_length=2)),
                ("default_currency", models.CharField(default="USD", max_length=3)),
                ("language", models.CharField(default="en", max_length=10)),
                ("time_zone", models.CharField(default="UTC", max_length=50)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LoginAttempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("purpose", models.CharField(db_default="login", default="login", max_length=20)),
                ("identifier", models.CharField(max_length=254)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("exact_ip", models.GenericIPAddressField(null=True)),
                ("attempted_at", models.DateTimeField(db_index=True)),
                ("succeeded", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["ip", "attempted_at"], name="users_attempt_ip"),
                    models.Index(fields=["identifier", "attempted_at"], name="users_attempt_identifier"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                ("jti", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("family", models.UUIDField(db_index=True)),
                ("proved_by", models.BigIntegerField(null=True)),
                ("issued_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refresh_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["email", "id"], name="users_user_email"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("username"), name="users_user_username_unique"
            ),
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
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("staff_role__in", ["", "support", "finance", "admin"])),
                name="users_user_staff_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("is_staff", False), ("staff_role", "")),
                    models.Q(("is_staff", True), models.Q(("staff_role", ""), _negated=True)),
                    _connector="OR",
                ),
                name="users_user_staff_in_step",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_superuser", False), ("staff_role", "admin"), _connector="OR"),
                name="users_user_superuser_is_admin",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("country__regex", "^[A-Z]{2}$")), name="users_user_country"
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("default_currency__regex", "^[A-Z]{3}$")), name="users_user_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at", None), ("used_at", None)),
                fields=("family",),
                name="users_refresh_one_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("issued_at"))), name="users_refresh_expires_later"
            ),
        ),
    ]
