"""Disputes between the two sides, and approvals by a second person."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.escrow import Escrow, Refund
from multitask.payments.models.fields import state_field, states_check
from multitask.payments.states import DisputeState


class Dispute(models.Model):
    """A dispute between client and freelancer, which finance staff settles with a split."""

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="disputes")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, related_name="+")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField()
    state = state_field(DisputeState, DisputeState.OPEN)
    client_minor = models.BigIntegerField(null=True)
    freelancer_minor = models.BigIntegerField(null=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    settlement_note = models.TextField(blank=True, default="")
    open_key = models.CharField(max_length=255, blank=True, default="")
    settle_key = models.CharField(max_length=255, blank=True, default="")
    opened_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        """At most one open dispute per escrow."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["escrow"],
                condition=models.Q(state=DisputeState.OPEN.value),
                name="payments_dispute_one_open",
            ),
            states_check("payments_dispute_state", DisputeState),
        ]

    def __str__(self) -> str:
        """Return the id that both sides see."""
        return str(self.public_id)


class Approval(models.Model):
    """A decision by one member of the staff, which another has to approve.

    `subject` is what it is about, such as `escrow:12` or `statement_line:7`; `escrow` is null where none is concerned.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, null=True, related_name="approvals")
    subject = models.CharField(max_length=60)
    arguments = models.JSONField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)
    ask_key = models.CharField(max_length=255, blank=True, default="")
    decide_key = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        """One open approval per kind and subject; the requester cannot decide it."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["subject", "kind"],
                condition=models.Q(decided_at=None),
                name="payments_approval_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by=None) | ~models.Q(decided_by=models.F("requested_by")),
                name="payments_approval_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        """Return kind and subject."""
        return f"{self.kind} of {self.subject}"
