"""The responses stored under idempotency keys."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint


class IdempotencyState(models.TextChoices):
    """Whether a response is stored."""

    IN_FLIGHT = "in_flight", "in flight"
    DONE = "done", "done"


class IdempotencyRecord(models.Model):
    """One key of one user: the request that it was used for, and its response once there is one.

    `request_key` is what the commands are given to recognise a repeated request by; it outlives
    a crash, which is why it is kept here and not made from the request.
    """

    id = models.BigAutoField(primary_key=True)
    # The constraint's index begins with the user.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    endpoint = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    request_key = models.UUIDField(default=uuid.uuid4)
    state = models.CharField(max_length=10, default=IdempotencyState.IN_FLIGHT, choices=IdempotencyState.choices)
    attempts = models.PositiveIntegerField(default=1)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(null=True)  # noqa: DJ001 - null says that there is no answer yet
    created_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField()

    class Meta:
        """One record per user and key; an answer is there exactly when it is done."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            UniqueConstraint(fields=["user", "key"], name="api_idempotency_once"),
            CheckConstraint(
                condition=Q(state=IdempotencyState.IN_FLIGHT, response_status=None, response_body=None)
                | Q(state=IdempotencyState.DONE, response_status__isnull=False, response_body__isnull=False),
                name="api_idempotency_answer",
            ),
        ]

    def __str__(self) -> str:
        """Show whose key it is, and for what."""
        return f"user {self.user_id}: {self.endpoint}"


class IdempotencyPurge(models.Model):
    """One run that deleted old records: the highest id of a record that it saw. Only the last runs are kept.

    By these the age of a record is known without a clock.
    """

    id = models.BigAutoField(primary_key=True)
    highest_id = models.BigIntegerField()

    def __str__(self) -> str:
        """Show what the run saw."""
        return f"up to record {self.highest_id}"
