"""Notices to users, on the pages and by email."""

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.escrow import Escrow
from multitask.payments.models.fields import state_field, states_check
from multitask.payments.models.history import AuditEvent
from multitask.payments.models.withdrawal import Withdrawal


class EmailState(StrEnum):
    """The state of a notice's email.

    `sending` changes back to `pending` only if the mail server certainly did not accept the email. If that is
    unknown it stays `sending`, so that no email is sent twice.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Notice(models.Model):
    """One notice to one user; `reference` identifies its subject, so that each is sent once."""

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
    # When the last attempt to send began; once it is sent, when it was sent.
    emailed_at = models.DateTimeField(null=True)

    class Meta:
        """One notice per user and reference; unread ones are counted on every page."""

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
        """Return kind and user."""
        return f"{self.kind} for user {self.user_id}"


class NoticeCursor(models.Model):
    """The audit event up to which all notices have been created; a single row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    audit_event_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Return the event."""
        return str(self.audit_event_id)
