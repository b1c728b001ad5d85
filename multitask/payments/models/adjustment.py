"""Corrections of a person's balance, and what came back of their transfers."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.account import ConnectedAccount
from multitask.payments.models.fields import currency_check
from multitask.payments.models.loss import Loss
from multitask.payments.provider import RouteKind


class Adjustment(models.Model):
    """A correction of a person's balance by finance, or of a receivable that did not last; positive is in their favour.

    A positive one pays what they owe first (`netted_minor`); the rest is transferred to their account at the provider
    and then becomes available, on a platform route at once. A negative one is owed (a `Receivable`). `reversed_minor`
    is what of the transfer was reversed at the provider.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    loss = models.ForeignKey(Loss, on_delete=models.PROTECT, null=True, related_name="adjustments")
    provider = models.CharField(max_length=20)
    route = models.CharField(max_length=10, default=RouteKind.CONNECTED.value)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    netted_minor = models.BigIntegerField(default=0)
    reversed_minor = models.BigIntegerField(default=0)
    note = models.TextField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    made_available_at = models.DateTimeField(null=True)

    class Meta:
        """The amount is not zero, no more is reversed than was sent; an index for those that are on their way."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~models.Q(amount_minor=0), name="payments_adjustment_not_zero"),
            models.CheckConstraint(
                condition=models.Q(reversed_minor=0)
                | models.Q(
                    reversed_minor__gt=0, amount_minor__gte=models.F("netted_minor") + models.F("reversed_minor")
                ),
                name="payments_adjustment_reversed",
            ),
            currency_check("payments_adjustment_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["user"],
                condition=models.Q(made_available_at=None, amount_minor__gt=0),
                name="payments_adjustment_pending",
            ),
        ]

    def __str__(self) -> str:
        """Return the amount."""
        return f"adjustment of {self.amount}"

    @property
    def amount(self) -> Money:
        """The signed amount."""
        return Money(self.amount_minor, self.currency)

    @property
    def left(self) -> Money:
        """What a positive one leaves the person: neither netted nor reversed."""
        return Money(self.amount_minor - self.netted_minor - self.reversed_minor, self.currency)


class AdjustmentReversal(models.Model):
    """A reversal of an adjustment's transfer, which was made at the provider without a command of ours.

    `ahead_minor` is what of it was not available here any more, so that it counts as paid out ahead.
    """

    id = models.BigAutoField(primary_key=True)
    adjustment = models.ForeignKey(Adjustment, on_delete=models.PROTECT, related_name="reversals")
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20)
    provider_reversal_id = models.CharField(max_length=255)
    amount_minor = models.BigIntegerField()
    ahead_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()

    class Meta:
        """One row per reversal at a provider."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["provider", "provider_reversal_id"], name="payments_adjustment_reversal_id"
            ),
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0, ahead_minor__gte=0, ahead_minor__lte=models.F("amount_minor")),
                name="payments_adjustment_reversal_amounts",
            ),
            currency_check("payments_adjustment_reversal_currency"),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_reversal_id

    @property
    def amount(self) -> Money:
        """The amount that went back."""
        return Money(self.amount_minor, self.currency)
