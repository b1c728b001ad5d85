"""Users' objects at a provider: connected accounts of freelancers, customers and their saved cards."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from multitask.payments.models.fields import currency_check


class ConnectedAccount(models.Model):
    """A freelancer's connected account. `provider_account_id` is null until the account exists at the provider.

    `bank_currencies` are the currencies of its bank accounts: only these can be paid out. `closed` means that it is
    no longer connected to this platform, `rejection` is why the provider has rejected it for good, as a `Rejection`.
    `retired_at` is set when another account has taken its place, whose `replaces` names it; the row stays, with the
    money and withdrawals that were booked on it.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="connected_accounts")
    provider = models.CharField(max_length=20)
    provider_account_id = models.CharField(max_length=255, null=True)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    charges_enabled = models.BooleanField(default=False)
    payouts_enabled = models.BooleanField(default=False)
    transfers_enabled = models.BooleanField(default=False)
    details_submitted = models.BooleanField(default=False)
    requirements = models.JSONField(default=dict)
    bank_currencies = ArrayField(models.CharField(max_length=3), default=list)
    disabled_reason = models.CharField(max_length=100, blank=True, default="")
    closed = models.BooleanField(default=False)
    rejection = models.CharField(max_length=30, blank=True, default="")
    retired_at = models.DateTimeField(null=True)
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        """One current account per user and provider, one that is being created; an index for those that are closed."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "provider"],
                condition=models.Q(retired_at=None) & models.Q(provider_account_id__isnull=False),
                name="payments_account_current",
            ),
            models.UniqueConstraint(
                fields=["user", "provider"],
                condition=models.Q(provider_account_id=None),
                name="payments_account_requested",
            ),
            models.UniqueConstraint(fields=["provider", "provider_account_id"], name="payments_account_provider_id"),
            currency_check("payments_account_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], condition=models.Q(closed=True), name="payments_account_closed"),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_account_id or f"account of user {self.user_id}"

    @property
    def can_receive(self) -> bool:
        """Return whether the account can receive transfers."""
        return bool(self.provider_account_id) and self.transfers_enabled and not self.is_final

    @property
    def is_final(self) -> bool:
        """Return whether the account has ended for good, so that its owner needs another one."""
        return self.closed or bool(self.rejection) or self.retired_at is not None

    @property
    def onboarding_completed(self) -> bool:
        """Return whether the account can receive transfers and pay out."""
        return self.can_receive and self.payouts_enabled and self.details_submitted

    def has_bank_for(self, currency: str) -> bool:
        """Return whether the account can pay out this currency."""
        return currency in self.bank_currencies


class Customer(models.Model):
    """A client's customer object at the provider, which saved cards are attached to."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20)
    provider_customer_id = models.CharField(max_length=255, null=True)
    default_method_id = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        """One customer per user and provider."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "provider"], name="payments_customer_user"),
            models.UniqueConstraint(fields=["provider", "provider_customer_id"], name="payments_customer_provider_id"),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_customer_id or f"customer of user {self.user_id}"


class ProviderCall(models.Model):
    """One object that a user created at the provider, or tried to; kept while it counts towards the limits."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    purpose = models.CharField(max_length=20)
    key = models.CharField(max_length=255)
    made_at = models.DateTimeField()

    class Meta:
        """Rows are counted per user and purpose, newest first, and deleted by age."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "purpose", "-made_at"], name="payments_call_recent"),
            models.Index(fields=["made_at"], name="payments_call_age"),
        ]

    def __str__(self) -> str:
        """Return purpose and key."""
        return f"{self.purpose} {self.key}"


class SavedMethod(models.Model):
    """A saved card without its number, which only the provider stores.

    `provider_method_id` names it there but charges nothing. Where the provider charges it by a token, that is in
    `CardToken` until the card is removed.
    """

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="methods")
    provider = models.CharField(max_length=20)
    provider_method_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=40)
    brand = models.CharField(max_length=40, blank=True, default="")
    last4 = models.CharField(max_length=4, blank=True, default="")
    expires_month = models.SmallIntegerField(null=True)
    expires_year = models.SmallIntegerField(null=True)
    detached_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        """One row per card at a provider."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_method_id"], name="payments_method_provider_id"),
        ]

    def __str__(self) -> str:
        """Return what the owner recognises the card by."""
        return f"{self.brand or self.kind} ending in {self.last4}"


class CardToken(models.Model):
    """The token that charges a saved card, encrypted (`payouts.encryption`); deleted when the card is removed.

    `saved_at` is the provider's, so that an older callback about the same card does not replace a newer one.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    method = models.OneToOneField(SavedMethod, on_delete=models.CASCADE, related_name="token")
    encrypted = models.TextField()
    saved_at = models.DateTimeField()

    def __str__(self) -> str:
        """Return the card that it is of, by its row."""
        return f"token of card {self.method_id}"
