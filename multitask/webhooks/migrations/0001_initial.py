from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PollPosition",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("after_id", models.BigIntegerField(null=True)),
                ("polled_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="IncomingEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=20)),
                ("event_id", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=255)),
                ("account_id", models.CharField(blank=True, default="", max_length=255)),
                ("subject", models.CharField(max_length=20)),
                ("object_id", models.CharField(blank=True, default="", max_length=255)),
                ("payload", models.TextField()),
                ("received_at", models.DateTimeField()),
                ("waiting_since", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "received"),
                            ("processed", "processed"),
                            ("ignored", "ignored"),
                            ("failed", "failed"),
                            ("quarantined", "quarantined"),
                        ],
                        default="received",
                        max_length=11,
                    ),
                ),
                ("attempts", models.IntegerField(default=0)),
                ("last_error", models.TextField(blank=True, default="")),
                ("processed_at", models.DateTimeField(null=True)),
                ("awaited", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["next_attempt_at"],
                        name="webhooks_incoming_open",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["failed", "quarantined"])),
                        fields=["state", "received_at"],
                        name="webhooks_incoming_to_look_at",
                    ),
                    models.Index(
                        condition=models.Q(("subject", "account")),
                        fields=["object_id"],
                        name="webhooks_incoming_account",
                    ),
                    models.Index(
                        condition=models.Q(("object_id", ""), _negated=True),
                        fields=["object_id"],
                        name="webhooks_incoming_object",
                    ),
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["object_id"],
                        name="webhooks_incoming_same_object",
                    ),
                    models.Index(
                        condition=models.Q(("awaited", True), ("state", "received")),
                        fields=["id"],
                        name="webhooks_incoming_awaited",
                    ),
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["received_at"],
                        name="webhooks_incoming_oldest",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "event_id"), name="webhooks_incoming_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["received", "processed", "ignored", "failed", "quarantined"])
                        ),
                        name="webhooks_incoming_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "subject__in",
                                [
                                    "payment",
                                    "account",
                                    "transfer",
                                    "refund",
                                    "payout",
                                    "dispute",
                                    "payment_method",
                                    "setup",
                                    "balance",
                                    "nothing",
                                ],
                            )
                        ),
                        name="webhooks_incoming_subject",
                    ),
                ],
            },
        ),
    ]
