"""Money on a platform route: its payees, the prepaid budget of payouts, and what finance records about both."""

import uuid
from typing import ClassVar, Final

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.destination import PayoutDestination
from multitask.payments.models.escrow import Refund
from multitask.payments.models.fields import currency_check
from multitask.payments.models.withdrawal import Withdrawal

# The largest file that documents a settlement or top-up, in bytes.
RECORD_FILE_MAX: Final = 5 * 1024 * 1024


class PlatformPayee(models.Model):
    """A payee of a platform route, who has no account at the provider; commands on their balance lock this row."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20)

    class Meta:
        """One row per user and provider."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "provider"], name="payments_payee_once"),
        ]

    def __str__(self) -> str:
        """Return the user's id and the provider."""
        return f"user {self.user_id} at {self.provider}"


class PayoutBudget(models.Model):
    """The prepaid budget of payouts at a provider, as it was last reported there; allotting it locks this row.

    `reported_minor` is what the provider reported at `reported_at`; `expected_minor` is what it should have reported:
    what the books held less the payouts that it had accepted.
    `refused_at` is when the provider last refused a payout since the budget was short. `short_since` is since when
    payouts have waited for it, as finance was told.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    reported_minor = models.BigIntegerField(null=True)
    expected_minor = models.BigIntegerField(null=True)
    reported_at = models.DateTimeField(null=True)
    differs_since = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    short_since = models.DateTimeField(null=True)

    class Meta:
        """One budget per provider and currency."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "currency"], name="payments_budget_once"),
            currency_check("payments_budget_currency"),
        ]

    def __str__(self) -> str:
        """Return the provider and the currency."""
        return f"{self.provider} {self.currency}"


class Disbursement(models.Model):
    """A payout from the budget: of a withdrawal, or of a refund that the provider cannot send back.

    `reference` names it at the provider. It is sent once `allotted_at` is set: from then until `ended_at` its amount is
    reserved in the budget. It is not allotted before `usable_from`, when the cool-down of its destination ends.
    `wait_noted_at` is when its payee was told that it waits for the budget.
    `fee_minor` and `tax_minor` are what the provider charges for it; they are posted when it is paid.
    `paid_after_failure_at` is when the provider reported a refund as paid whose money had been given back, and
    `paid_explained_at` when finance explained that.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    withdrawal = models.OneToOneField(Withdrawal, on_delete=models.PROTECT, null=True, related_name="disbursement")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, related_name="disbursement")
    destination = models.ForeignKey(PayoutDestination, on_delete=models.PROTECT, related_name="+")
    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider_payout_id = models.CharField(max_length=255, null=True)
    usable_from = models.DateTimeField()
    allotted_at = models.DateTimeField(null=True)
    wait_noted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    fee_minor = models.BigIntegerField(null=True)
    tax_minor = models.BigIntegerField(null=True)
    paid_after_failure_at = models.DateTimeField(null=True)
    paid_explained_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        """A positive amount, for one subject; the index is for those that wait or are under way."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_disbursement_positive"),
            models.CheckConstraint(
                condition=models.Q(withdrawal=None, refund__isnull=False)
                | models.Q(withdrawal__isnull=False, refund=None),
                name="payments_disbursement_one_subject",
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_payout_id"], name="payments_disbursement_provider_id"
            ),
            currency_check("payments_disbursement_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["provider", "currency", "id"],
                condition=models.Q(ended_at=None),
                name="payments_disbursement_open",
            ),
        ]

    def __str__(self) -> str:
        """Return the name at the provider."""
        return str(self.reference)

    @property
    def amount(self) -> Money:
        """What the payee receives."""
        return Money(self.amount_minor, self.currency)


class BudgetRecord(models.Model):
    """What finance recorded: a settlement to the bank, a top-up of the budget, or costs of payouts taken or given back.

    A settlement brought `amount_minor` less `fee_minor`, which the provider kept, to the bank. Costs took
    `amount_minor` out of the budget, or came back into it: `fee_minor` as a fee, and the rest as tax on it.
    `reference` is that of the bank or the provider and is recorded once per kind. `corrects` is the wrong record that
    this one takes back.
    """

    class Kind(models.TextChoices):
        """What was recorded."""

        SETTLED_TO_BANK = "settled_to_bank"
        BUDGET_TOPPED_UP = "budget_topped_up"
        COSTS_BOOKED = "payout_costs_booked"
        COSTS_CREDITED = "costs_credited"

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    provider = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    happened_on = models.DateField()
    reference = models.CharField(max_length=100)
    note = models.TextField(blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    file_type = models.CharField(max_length=50, blank=True, default="")
    file_content = models.BinaryField(null=True)
    corrects = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="corrected_by")
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    request_key = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        """Positive amounts; one record per reference and kind, unless it was taken back."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0, fee_minor__gte=0, fee_minor__lte=models.F("amount_minor")),
                name="payments_budget_record_amounts",
            ),
            models.UniqueConstraint(
                fields=["recorded_by", "request_key"],
                condition=~models.Q(request_key=""),
                name="payments_budget_record_request_key",
            ),
            currency_check("payments_budget_record_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["provider", "currency", "-id"], name="payments_budget_record_list"),
        ]

    def __str__(self) -> str:
        """Return the reference."""
        return self.reference

    @property
    def amount(self) -> Money:
        """The gross amount."""
        return Money(self.amount_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What the provider kept of a settlement, or the fee of payouts."""
        return Money(self.fee_minor, self.currency)

    @property
    def tax(self) -> Money | None:
        """The tax on the fee of payouts; None for what has none."""
        is_about_costs = self.kind in {self.Kind.COSTS_BOOKED, self.Kind.COSTS_CREDITED}
        return self.amount - self.fee if is_about_costs else None
