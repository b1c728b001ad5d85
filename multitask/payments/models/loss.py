"""Money that comes back after it was paid: chargebacks, fraud warnings, losses and reversals."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.account import ConnectedAccount
from multitask.payments.models.escrow import Escrow, Payment, Refund
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.models.operation import Operation
from multitask.payments.states import ReversalState


class Chargeback(models.Model):
    """A payment contested by the cardholder's bank.

    `amount_minor` is what the bank contests. `taken_minor` is what it has taken from the platform's balance and not
    given back, `fee_minor` what the provider has charged for it; both are sums over the provider's movements, in the
    currency in which the payment reached the balance.
    `held_minor` is the payee's share that it holds now, `holds` counts how often it began to hold.
    """

    # How the statuses of inquiries begin.
    INQUIRY: ClassVar[str] = "warning_"

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks")
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="chargebacks")
    provider = models.CharField(max_length=20)
    provider_dispute_id = models.CharField(max_length=255)
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=100, blank=True, default="")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    taken_minor = models.BigIntegerField(default=0)
    fee_minor = models.BigIntegerField(default=0)
    held_minor = models.BigIntegerField(default=0)
    holds = models.SmallIntegerField(default=0)
    opened_at = models.DateTimeField()
    evidence_due_at = models.DateTimeField(null=True)
    evidence_submitted_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        """One row per chargeback at a provider; an index for those that are open."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_dispute_id"], name="payments_chargeback_provider_id"),
            currency_check("payments_chargeback_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["evidence_due_at"], condition=models.Q(closed_at=None), name="payments_chargeback_open"
            ),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_dispute_id

    @property
    def amount(self) -> Money:
        """What the bank contests."""
        return Money(self.amount_minor, self.currency)

    @property
    def taken(self) -> Money:
        """What the bank has taken and not given back."""
        return Money(self.taken_minor, self.payment.received_currency or self.currency)

    @property
    def fee(self) -> Money:
        """What the provider has charged for it."""
        return Money(self.fee_minor, self.taken.currency)

    @property
    def is_inquiry(self) -> bool:
        """Return whether it is an inquiry, which has taken no money."""
        return self.status.startswith(Chargeback.INQUIRY)


class FraudWarning(models.Model):
    """An early fraud warning: the card's issuer suspects a payment, which may become a chargeback."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="fraud_warnings")
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="fraud_warnings")
    provider = models.CharField(max_length=20)
    provider_warning_id = models.CharField(max_length=255)
    reason = models.CharField(max_length=100, blank=True, default="")
    is_actionable = models.BooleanField(default=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")

    class Meta:
        """One row per warning at a provider; an index for those that are open."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_warning_id"], name="payments_warning_provider_id"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["opened_at"], condition=models.Q(closed_at=None), name="payments_warning_open"),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_warning_id


class Loss(models.Model):
    """Money of an escrow that went back to the client after it was too late for an ordinary refund; who bore it.

    It was caused by a chargeback or by a refund after release. The parts add up to the amount: `escrow_minor` came
    from the escrow, `payee_minor` from the payee's money of that escrow, `fee_minor` from the platform's fee,
    `receivable_minor` is owed by the payee (a `Receivable`), `platform_minor` was borne by the platform.
    That is below zero if a payment that was converted had brought more than the bank took of it.
    `returned_minor` is by how much it lowered what counts as released.
    """

    id = models.BigAutoField(primary_key=True)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="losses")
    chargeback = models.ForeignKey(Chargeback, on_delete=models.PROTECT, null=True, related_name="losses")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, related_name="losses")
    payee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    escrow_minor = models.BigIntegerField(default=0)
    payee_minor = models.BigIntegerField(default=0)
    fee_minor = models.BigIntegerField(default=0)
    receivable_minor = models.BigIntegerField(default=0)
    platform_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    booked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    booked_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        """One cause; parts that add up."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["chargeback"], condition=models.Q(reversed_at=None), name="payments_loss_chargeback"
            ),
            models.UniqueConstraint(
                fields=["refund"], condition=models.Q(reversed_at=None), name="payments_loss_refund"
            ),
            models.CheckConstraint(
                condition=models.Q(chargeback=None, refund__isnull=False)
                | models.Q(chargeback__isnull=False, refund=None),
                name="payments_loss_one_cause",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    amount_minor=models.F("escrow_minor")
                    + models.F("payee_minor")
                    + models.F("fee_minor")
                    + models.F("receivable_minor")
                    + models.F("platform_minor"),
                    escrow_minor__gte=0,
                    payee_minor__gte=0,
                    fee_minor__gte=0,
                    receivable_minor__gte=0,
                )
                # A gain by the exchange, of a payment that fits no escrow.
                & (
                    models.Q(platform_minor__gte=0)
                    | models.Q(payee_minor=0, fee_minor=0, receivable_minor=0, returned_minor=0)
                ),
                name="payments_loss_parts",
            ),
            currency_check("payments_loss_currency"),
        ]

    def __str__(self) -> str:
        """Return the amount and the escrow."""
        return f"{self.amount} of escrow {self.escrow_id}"

    @property
    def amount(self) -> Money:
        """The whole loss."""
        return Money(self.amount_minor, self.currency)


class Receivable(models.Model):
    """What a payee owes the platform after a loss, a negative adjustment or a reversal that was given up.

    It is netted from later releases.

    `recovered_minor` was netted, `written_off_minor` given up, `cancelled_minor` is not owed any more because the loss
    did not last.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    loss = models.OneToOneField(Loss, on_delete=models.PROTECT, null=True, related_name="receivable")
    adjustment = models.OneToOneField("Adjustment", on_delete=models.PROTECT, null=True, related_name="receivable")
    reversal = models.OneToOneField("Reversal", on_delete=models.PROTECT, null=True, related_name="receivable")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    recovered_minor = models.BigIntegerField(default=0)
    written_off_minor = models.BigIntegerField(default=0)
    cancelled_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        """One cause; no more is settled than is owed; an index for what is still owed."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(loss__isnull=False, adjustment=None, reversal=None)
                | models.Q(loss=None, adjustment__isnull=False, reversal=None)
                | models.Q(loss=None, adjustment=None, reversal__isnull=False),
                name="payments_receivable_one_cause",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    amount_minor__gt=0,
                    recovered_minor__gte=0,
                    written_off_minor__gte=0,
                    cancelled_minor__gte=0,
                    amount_minor__gte=models.F("recovered_minor")
                    + models.F("written_off_minor")
                    + models.F("cancelled_minor"),
                ),
                name="payments_receivable_amounts",
            ),
            currency_check("payments_receivable_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["user", "currency", "id"],
                condition=models.Q(
                    amount_minor__gt=models.F("recovered_minor")
                    + models.F("written_off_minor")
                    + models.F("cancelled_minor")
                ),
                name="payments_receivable_owed",
            ),
        ]

    def __str__(self) -> str:
        """Return the amount."""
        return f"receivable of {self.owed}"

    @property
    def owed(self) -> Money:
        """What is still owed."""
        settled = self.recovered_minor + self.written_off_minor + self.cancelled_minor
        return Money(self.amount_minor - settled, self.currency)


class Reversal(models.Model):
    """Money of a transfer that goes back from the payee's account at the provider to the platform's balance.

    Without a `loss` it is on its way from a former account of the payee to the current one.

    `is_outside` is true for one that was made at the provider without a command of ours. `is_decided` is false while
    the payee's share that came back with it waits for a decision by the staff. `given_up_at` is when finance gave up
    one that failed. `ahead_minor` is what of one that was given up had been paid out ahead, in minor units.
    """

    id = models.BigAutoField(primary_key=True)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="reversals")
    transfer = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, related_name="+")
    loss = models.ForeignKey(Loss, on_delete=models.PROTECT, null=True, related_name="reversals")
    provider = models.CharField(max_length=20)
    provider_reversal_id = models.CharField(max_length=255, null=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = state_field(ReversalState, ReversalState.PENDING)
    is_outside = models.BooleanField(default=False)
    is_decided = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    ahead_minor = models.BigIntegerField(default=0)

    class Meta:
        """One row per reversal at a provider; only one that failed is given up."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_reversal_id"], name="payments_reversal_provider_id"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_reversal_positive"),
            states_check("payments_reversal_state", ReversalState),
            models.CheckConstraint(
                condition=models.Q(given_up_at=None) | models.Q(state=ReversalState.FAILED.value),
                name="payments_reversal_given_up",
            ),
            models.CheckConstraint(
                condition=models.Q(ahead_minor__gte=0, ahead_minor__lte=models.F("amount_minor")),
                name="payments_reversal_ahead",
            ),
            currency_check("payments_reversal_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["created_at"], condition=models.Q(is_decided=False), name="payments_reversal_undecided"
            ),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_reversal_id or f"reversal {self.pk}"

    @property
    def amount(self) -> Money:
        """The amount that goes back."""
        return Money(self.amount_minor, self.currency)

    @property
    def is_move(self) -> bool:
        """Return whether the money is on its way to the payee's current account."""
        return self.loss_id is None and not self.is_outside
