"""Withdrawals: from the wallet to the freelancer's bank."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.account import ConnectedAccount
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.states import WithdrawalState


class Withdrawal(models.Model):
    """One payout to the bank: from the payee's `account` at the provider, or by a disbursement from the budget.

    A `completed` one can still become `failed`, when the bank returns it.

    `is_outside` is true for one that was made at the provider without a command of ours; `ahead_minor` is the part of
    it that was not available here yet.
    `provider_status` is the payout's last known status at the provider while the withdrawal is open; afterwards it may
    become one of `withdrawal_outcomes` that says that the payout was paid all the same.
    `cancellation_asked_at` is when its owner asked for its cancellation and the payout might have been sent already,
    `cancellation_refused_at` when the provider answered that it had left.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="withdrawals"
    )
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, null=True, related_name="+")
    provider = models.CharField(max_length=20)
    provider_payout_id = models.CharField(max_length=255, null=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = state_field(WithdrawalState, WithdrawalState.PENDING)
    request_key = models.CharField(max_length=255, blank=True, default="")
    failure_code = models.CharField(max_length=100, blank=True, default="")
    failure_reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    arrival_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    paid_posting_id = models.UUIDField(null=True)
    is_outside = models.BooleanField(default=False)
    ahead_minor = models.BigIntegerField(default=0)
    provider_status = models.CharField(max_length=30, blank=True, default="")
    cancellation_asked_at = models.DateTimeField(null=True)
    cancellation_refused_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        """One withdrawal per user and request key, one row per payout at a provider."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_payout_id"], name="payments_withdrawal_provider_id"),
            models.UniqueConstraint(
                fields=["user", "request_key"],
                condition=~models.Q(request_key=""),
                name="payments_withdrawal_request_key",
            ),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_withdrawal_positive"),
            states_check("payments_withdrawal_state", WithdrawalState),
            currency_check("payments_withdrawal_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-id"], name="payments_withdrawal_user"),
            models.Index(
                fields=["user"],
                condition=models.Q(state__in=[WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]),
                name="payments_withdrawal_open",
            ),
            models.Index(
                fields=["failed_at"],
                condition=models.Q(state=WithdrawalState.FAILED.value),
                name="payments_withdrawal_failed",
            ),
            models.Index(fields=["user"], condition=models.Q(ahead_minor__gt=0), name="payments_withdrawal_ahead"),
        ]

    def __str__(self) -> str:
        """Return the id that its owner sees."""
        return str(self.public_id)

    @property
    def amount(self) -> Money:
        """The amount of the payout."""
        return Money(self.amount_minor, self.currency)
