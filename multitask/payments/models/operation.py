"""Operations: one row for every call that has to be made at a provider."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.account import ConnectedAccount
from multitask.payments.models.escrow import Escrow
from multitask.payments.models.fields import state_field, states_check
from multitask.payments.states import OPEN_OPERATIONS, OperationState


class Operation(models.Model):
    """An intent, committed before the call, and the outcome, committed after it.

    `arguments` are frozen when the intent is committed, so that every attempt sends the same request under the same
    `key`. `hold` is the reason why it must not be sent yet, if any. `generation` is part of the key: it rises only
    after the provider proved that the previous key had no effect. `is_uncertain` is true once the outcome of any
    attempt was unknown, so that the object may exist at the provider. `account` is the account to which a transfer
    was sent; it is set with the claim. `finished_at` is when it succeeded or failed; one that succeeded and was held
    for the staff afterwards keeps it.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=30)
    subject_id = models.BigIntegerField()
    sequence = models.SmallIntegerField(default=1)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, null=True, related_name="operations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, null=True, related_name="+")
    provider = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    generation = models.SmallIntegerField(default=1)
    state = state_field(OperationState, OperationState.PENDING)
    hold = models.CharField(max_length=40, blank=True, default="")
    attempts = models.IntegerField(default=0)
    is_uncertain = models.BooleanField(default=False)
    provider_reference = models.CharField(max_length=255, blank=True, default="")
    last_error_code = models.CharField(max_length=100, blank=True, default="")
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """One operation per kind, subject and sequence; indexes for open and failed ones and for the provider's id."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "subject_id", "sequence"], name="payments_operation_once"),
            states_check("payments_operation_state", OperationState),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state__in=sorted(s.value for s in OPEN_OPERATIONS)),
                name="payments_operation_open",
            ),
            models.Index(
                fields=["user"],
                condition=~models.Q(hold=""),
                name="payments_operation_held",
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(state=OperationState.FAILED.value),
                name="payments_operation_failed",
            ),
            models.Index(
                fields=["provider_reference"],
                condition=~models.Q(provider_reference=""),
                name="payments_operation_reference",
            ),
        ]

    def __str__(self) -> str:
        """Return the key."""
        return self.key

    @property
    def key(self) -> str:
        """The idempotency key of every attempt; derived from the row, so that a crash cannot lose it."""
        return f"{self.reference}:{self.generation}"

    @property
    def reference(self) -> str:
        """The reference stored with the object at the provider, by which it can be found."""
        return f"{self.kind}:{self.subject_id}:{self.sequence}"
