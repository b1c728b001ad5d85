"""Events from providers, and how far the polls are."""

from typing import ClassVar

from django.db import models

from multitask.payments.provider import Subject


class EventState(models.TextChoices):
    """The state of an event. Only `received` ones are processed."""

    RECEIVED = "received", "received"
    PROCESSED = "processed", "processed"
    IGNORED = "ignored", "ignored"
    FAILED = "failed", "failed"
    QUARANTINED = "quarantined", "quarantined"
    DISMISSED = "dismissed", "dismissed"  # by finance staff


class IncomingEvent(models.Model):
    """One verified event, stored once whatever the number of deliveries.

    `event_id` is the provider's; `object_id` of kind `subject` is what changed, inside the connected account
    `account_id` if one is named. `awaited`: a user was waiting for the object when the event came, so it is
    processed before others. `payload` is the body, reduced to what support needs (see `reduction`). `waiting_since`
    bounds the retries and is reset by a replay; `processed_at` is from the database's clock, so that concurrent jobs
    can be ordered.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=255)
    account_id = models.CharField(max_length=255, blank=True, default="")
    subject = models.CharField(max_length=20)
    object_id = models.CharField(max_length=255, blank=True, default="")
    payload = models.TextField()
    received_at = models.DateTimeField()
    waiting_since = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    state = models.CharField(max_length=11, choices=EventState.choices, default=EventState.RECEIVED)
    attempts = models.IntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    processed_at = models.DateTimeField(null=True)
    # A database default, so that servers of the previous release can still store events.
    awaited = models.BooleanField(db_default=False, default=False)

    class Meta:
        """Each event is stored once; partial indexes find what needs work or attention."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhooks_incoming_once"),
            models.CheckConstraint(condition=models.Q(state__in=EventState.values), name="webhooks_incoming_state"),
            models.CheckConstraint(
                condition=models.Q(subject__in=[subject.value for subject in Subject]),
                name="webhooks_incoming_subject",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state=EventState.RECEIVED),
                name="webhooks_incoming_open",
            ),
            models.Index(
                fields=["state", "received_at"],
                condition=models.Q(state__in=[EventState.FAILED, EventState.QUARANTINED]),
                name="webhooks_incoming_to_look_at",
            ),
            models.Index(
                fields=["object_id"],
                condition=models.Q(subject=Subject.ACCOUNT.value),
                name="webhooks_incoming_account",
            ),
            models.Index(
                fields=["object_id"],
                condition=~models.Q(object_id=""),
                name="webhooks_incoming_object",
            ),
            models.Index(
                fields=["object_id"],
                condition=models.Q(state=EventState.RECEIVED),
                name="webhooks_incoming_same_object",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(state=EventState.RECEIVED, awaited=True),
                name="webhooks_incoming_awaited",
            ),
            models.Index(
                fields=["received_at"],
                condition=models.Q(state=EventState.RECEIVED),
                name="webhooks_incoming_oldest",
            ),
        ]

    def __str__(self) -> str:
        """Show the provider's id and the kind."""
        return f"{self.event_id} ({self.kind})"


class PollPosition(models.Model):
    """How far the polls are: an unfinished poll continues below `after_id`, which is null when it has finished.

    `polled_at` of a group is since when it waits there because the provider accepts no more calls, else null. In the
    row named `minutes` it is the time of the last poll.
    """

    name = models.CharField(max_length=40, primary_key=True)
    after_id = models.BigIntegerField(null=True)
    polled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """Show what is polled."""
        return self.name
