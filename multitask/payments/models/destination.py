"""Where payees of a platform route are paid, and who they are; numbers and names are encrypted."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.provider.destinations import DestinationKind
from multitask.payments.states import IdentityState


class PayoutDestination(models.Model):
    """A bank account, mobile wallet or InstaPay account of a payee; never changed, only replaced.

    Withdrawals go to it from `usable_from` until `retired_at`, which is in the future while its successor is cooling
    down. `encrypted` holds its details (`payouts.encryption`), `masked` what may be shown of its number. `bank_code`
    and `issuer` (of a wallet) are names that everybody knows, and stay readable.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payout_destinations")
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in DestinationKind])
    bank_code = models.CharField(max_length=10, blank=True, default="")
    issuer = models.CharField(max_length=20, blank=True, default="")
    masked = models.CharField(max_length=40)
    encrypted = models.TextField()
    created_at = models.DateTimeField()
    usable_from = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        """One destination per owner and currency that nothing replaces."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "currency"],
                condition=models.Q(retired_at=None),
                name="payments_destination_latest",
            ),
            models.CheckConstraint(
                condition=models.Q(usable_from__gte=models.F("created_at")), name="payments_destination_cools_down"
            ),
            states_check("payments_destination_kind", DestinationKind, "kind"),
            currency_check("payments_destination_currency"),
        ]

    def __str__(self) -> str:
        """Return what may be shown."""
        return f"{self.kind} {self.masked}"

    def is_retired(self, now: datetime) -> bool:
        """Return whether it was removed or another one has taken its place."""
        return self.retired_at is not None and self.retired_at <= now

    def is_cooling_down(self, now: datetime) -> bool:
        """Return whether withdrawals to it still have to wait."""
        return self.usable_from > now and not self.is_retired(now)

    def is_in_use(self, now: datetime) -> bool:
        """Return whether a withdrawal made now goes to it."""
        return self.usable_from <= now and not self.is_retired(now)


class PayeeIdentity(models.Model):
    """A payee's legal name and national id number as submitted once; a later submission replaces it.

    `encrypted` holds both, the masked fields what may be shown of them. `reason` is why staff confirmed or rejected
    it; the owner sees that of a rejection.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="identities")
    state = state_field(IdentityState, IdentityState.SUBMITTED)
    masked_name = models.CharField(max_length=200)
    masked_number = models.CharField(max_length=40)
    encrypted = models.TextField()
    submitted_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True, default="")
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        """One current identity per person; those that wait for staff are listed, and those alike found."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(replaced_at=None), name="payments_identity_current"
            ),
            models.CheckConstraint(
                condition=models.Q(state=IdentityState.SUBMITTED.value, decided_at=None)
                | (~models.Q(state=IdentityState.SUBMITTED.value) & models.Q(decided_at__isnull=False)),
                name="payments_identity_decided",
            ),
            states_check("payments_identity_state", IdentityState),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["id"],
                condition=models.Q(state=IdentityState.SUBMITTED.value, replaced_at=None),
                name="payments_identity_waiting",
            ),
            models.Index(
                fields=["masked_number"], condition=models.Q(replaced_at=None), name="payments_identity_number"
            ),
        ]

    def __str__(self) -> str:
        """Return what may be shown."""
        return f"{self.masked_name}, {self.masked_number}"
