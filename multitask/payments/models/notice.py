"""What people are told, on the pages and by email."""

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.escrow import Escrow
from multitask.payments.models.fields import state_field, states_check
from multitask.payments.models.history import AuditEvent
from multitask.payments.models.withdrawal import Withdrawal


class EmailState(StrEnum):
    """Where a notice's email is.

    From `sending` it goes back to `pending` only when the mail server certainly has not taken it;
    where nobody knows it stays there, so that nothing is ever sent twice.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Notice(models.Model):
    """One person is told of one thing once; `reference` says which thing."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    reference = models.CharField(max_length=100)
    event = models.ForeignKey(AuditEvent, on_delete=models.PROTECT, null=True, related_name="+")
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, null=True, related_name="+")
    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    email_state = state_field(EmailState, EmailState.PENDING)
    email_attempts = models.SmallIntegerField(default=0)
    # When it was last taken for sending; the moment it went out, once it is sent.
    emailed_at = models.DateTimeField(null=True)

    class Meta:
        """Told once; the unread ones are counted on every page."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "reference"], name="payments_notice_once"),
            states_check("payments_notice_email_state", EmailState, "email_state"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-id"], name="payments_notice_user"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="payments_notice_unread"),
            models.Index(fields=["id"], condition=models.Q(email_state="pending"), name="payments_notice_unsent"),
        ]

    def __str__(self) -> str:
        """Show what it is about."""
        return f"{self.kind} for user {self.user_id}"


class NoticeCursor(models.Model):
    """Up to which audit event notices were surely made; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    audit_event_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Show the event."""
        return str(self.audit_event_id)
