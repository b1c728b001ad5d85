"""The provider's own statement of its accounts, and how it compares with the ledger."""

from typing import ClassVar

from django.db import models

from multitask.money import Money
from multitask.payments.models.account import ConnectedAccount
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.provider import Subject
from multitask.payments.states import LineState


class ProviderAccount(models.Model):
    """One account at a provider whose statement is read: the platform's own (`account` is null) or a payee's.

    `cursor` is the provider's id of the line up to which the statement is complete. `read_at` is null until the whole
    statement was read once. `starts_at` is the moment of the first lines that are stored: older ones are part of the
    opening balance. `reading_since` is the moment from which on a reading without a cursor began that has not come to
    its end.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    account = models.OneToOneField(ConnectedAccount, on_delete=models.PROTECT, null=True, related_name="statement")
    cursor = models.CharField(max_length=255, blank=True, default="")
    starts_at = models.DateTimeField(null=True)
    reading_since = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)

    class Meta:
        """One platform account per provider; an index for those that are due."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["provider"], condition=models.Q(account=None), name="payments_provideraccount_platform"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="payments_provideraccount_due"),
        ]

    def __str__(self) -> str:
        """Return the provider and the account."""
        return f"{self.provider}:{self.account_id or 'platform'}"


class StatementLine(models.Model):
    """One line of a provider account's statement, stored once and never changed but for its state.

    `amount_minor` is gross and signed as the account sees it, `fee_minor` what the provider kept; the account moves by
    amount less fee. `source` is the provider's id of the object that moved the money; lines of one source belong
    together. `subject` and `object_id` are what to read at the provider to learn about it. While the line is open,
    `suspense_minor` is what was posted to suspense for it; `settled_minor` is what was posted for the line itself to
    another account, by its kind or by finance staff. `postings` counts both, for their keys.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ProviderAccount, on_delete=models.PROTECT, related_name="lines")
    provider_line_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=30)
    source = models.CharField(max_length=255)
    subject = models.CharField(max_length=20, default=Subject.NOTHING.value)
    object_id = models.CharField(max_length=255, blank=True, default="")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    description = models.CharField(max_length=300, blank=True, default="")
    happened_at = models.DateTimeField()
    available_at = models.DateTimeField(null=True)
    stored_at = models.DateTimeField()
    state = state_field(LineState, LineState.NEW)
    matched_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField(null=True)
    suspense_minor = models.BigIntegerField(default=0)
    settled_minor = models.BigIntegerField(default=0)
    postings = models.SmallIntegerField(default=0)
    note = models.TextField(blank=True, default="")

    class Meta:
        """One row per line; indexes for what is not matched, for a source, and for what was matched lately."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["account", "provider_line_id"], name="payments_line_provider_id"),
            states_check("payments_line_state", LineState),
            currency_check("payments_line_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["account", "id"],
                condition=models.Q(state__in=[LineState.NEW.value, LineState.IN_FLIGHT.value, LineState.OPEN.value]),
                name="payments_line_unmatched",
            ),
            models.Index(
                fields=["opened_at"], condition=models.Q(state=LineState.OPEN.value), name="payments_line_open"
            ),
            models.Index(
                fields=["account", "matched_at"],
                condition=models.Q(state=LineState.EXPLAINED.value),
                name="payments_line_explained",
            ),
            models.Index(fields=["account", "source"], name="payments_line_source"),
            models.Index(fields=["account", "matched_at"], name="payments_line_matched"),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_line_id

    @property
    def net(self) -> Money:
        """By how much the line moves the account."""
        return Money(self.amount_minor - self.fee_minor, self.currency)


class Reconciliation(models.Model):
    """The sum of all lines of one provider account in one currency, and their last comparison with the ledger.

    `ours_minor + in_flight_minor + difference_minor = theirs_minor`; `suspense_minor` is contained in ours.
    `compared_at` is null before the first comparison.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ProviderAccount, on_delete=models.PROTECT, related_name="reconciliations")
    currency = models.CharField(max_length=3)
    stated_minor = models.BigIntegerField(default=0)
    theirs_minor = models.BigIntegerField(default=0)
    ours_minor = models.BigIntegerField(default=0)
    in_flight_minor = models.BigIntegerField(default=0)
    suspense_minor = models.BigIntegerField(default=0)
    difference_minor = models.BigIntegerField(default=0)
    compared_at = models.DateTimeField(null=True)
    equal_at = models.DateTimeField(null=True)
    differs_since = models.DateTimeField(null=True)

    class Meta:
        """One row per account and currency, which each comparison updates."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["account", "currency"], name="payments_reconciliation_once"),
            currency_check("payments_reconciliation_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["differs_since"],
                condition=models.Q(differs_since__isnull=False),
                name="payments_reconciliation_diff",
            ),
        ]

    def __str__(self) -> str:
        """Return the account and the currency."""
        return f"{self.account_id} {self.currency}"
