"""The wallet's history and the audit trail."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.escrow import Escrow, Refund
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.models.withdrawal import Withdrawal
from multitask.payments.states import HistoryStatus


class HistoryRow(models.Model):
    """One event in one user's wallet, written in the same transaction as the event itself.

    `direction` is how the user's own money moves: in, out, or neutral (the event concerns the user but does not
    change what they have). The net amount is `amount_minor` minus `fee_minor`.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+")
    type = models.CharField(max_length=20)
    status = state_field(HistoryStatus, HistoryStatus.PENDING)
    direction = models.CharField(max_length=7)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, null=True, related_name="+")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    reference = models.CharField(max_length=60)
    description = models.CharField(max_length=300)
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    failure_reason = models.TextField(blank=True, default="")

    class Meta:
        """One row per event and user; the indexes return the newest first without sorting.

        Foreign keys without an index of their own are those that another index begins with, or that nobody looks for.
        """

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "reference"], name="payments_history_once"),
            models.CheckConstraint(
                condition=models.Q(direction__in=["in", "out", "neutral"]),
                name="payments_history_direction",
            ),
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0, fee_minor__gte=0),
                name="payments_history_amounts",
            ),
            states_check("payments_history_status", HistoryStatus, "status"),
            currency_check("payments_history_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-id"], name="payments_history_newest"),
            models.Index(fields=["user", "type", "status", "currency", "-id"], name="payments_history_kind"),
            models.Index(fields=["user", "-created_at"], name="payments_history_created"),
        ]

    def __str__(self) -> str:
        """Return the description."""
        return self.description


class HistoryTotal(models.Model):
    """Counts and sums of history rows, maintained by a trigger, so that reading them does not scan the rows."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="+")
    currency = models.CharField(max_length=3)
    type = models.CharField(max_length=20)
    status = models.CharField(max_length=20)
    direction = models.CharField(max_length=7)
    rows = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()

    class Meta:
        """One row per combination."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "currency", "type", "status", "direction"],
                name="payments_historytotal_once",
            ),
        ]

    def __str__(self) -> str:
        """Return the combination."""
        return f"{self.user_id} {self.currency} {self.type} {self.status}: {self.rows}"


class EscrowedTotal(models.Model):
    """What escrows hold in which a user is a party, maintained by triggers, so that reading it does not add them up."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        """One row per user and currency."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "currency"], name="payments_escrowedtotal_once"),
        ]

    def __str__(self) -> str:
        """Return the user and the amount."""
        return f"{self.user_id}: {self.amount_minor} {self.currency}"


class AuditEvent(models.Model):
    """Who did what to which escrow, when, from where, with which amount. Never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    event = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    actor_role = models.CharField(max_length=20)
    actor_label = models.CharField(max_length=150)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=100, blank=True, default="")
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, null=True, db_index=False, related_name="audit_events")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, null=True, related_name="audit_events")
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    note = models.TextField(blank=True, default="")
    details = models.JSONField(default=dict)

    class Meta:
        """Indexes for the timelines of an escrow and of a user."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["escrow", "id"], name="payments_audit_escrow"),
            models.Index(fields=["user", "id"], name="payments_audit_user"),
        ]

    def __str__(self) -> str:
        """Return event and actor."""
        return f"{self.event} by {self.actor_label}"
