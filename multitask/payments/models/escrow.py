"""The escrow of a milestone, the payments into it and the refunds out of it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.agreement import Agreement, Milestone
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.provider import RouteKind
from multitask.payments.states import HOLDING_ESCROWS, EscrowState, PaymentState, RefundState
from multitask.payments.terms import Terms


class Escrow(models.Model):
    """The money of one milestone, from the first payment request to its release or refund.

    Amounts and terms are frozen at creation. `released_minor` is the gross amount released, `released_fee_minor`
    the fee included in it, `refunded_minor` the sum of paid refunds, `charged_back_minor` what losses took before the
    release. `returned_minor` is the part of what was released that went back to the client, `reclaimed_fee_minor` the
    fee included in it. Of the payee's share, `netted_minor` paid a receivable, `contested_minor` is held by a
    chargeback now, `reclaimed_minor` was taken back. Amounts are in minor units. `payment_due_at` is
    when an unpaid escrow is closed, `hold_until_at` how long the provider may hold its money.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="escrows")
    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="escrows")
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+")
    provider = models.CharField(max_length=20)
    provider_payment_id = models.CharField(max_length=255, blank=True, default="")
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    fee_basis_points = models.IntegerField()
    fee_minor = models.BigIntegerField()
    freelancer_minor = models.BigIntegerField()
    auto_release_days = models.SmallIntegerField()
    refund_answer_days = models.SmallIntegerField()
    share_step = models.SmallIntegerField(default=1)
    route = models.CharField(max_length=10, default=RouteKind.CONNECTED.value)
    released_minor = models.BigIntegerField(default=0)
    released_fee_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    charged_back_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    netted_minor = models.BigIntegerField(default=0)
    contested_minor = models.BigIntegerField(default=0)
    reclaimed_minor = models.BigIntegerField(default=0)
    reclaimed_fee_minor = models.BigIntegerField(default=0)
    state = state_field(EscrowState, EscrowState.PENDING_PAYMENT)
    created_at = models.DateTimeField()
    funded_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    refunded_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    auto_release_at = models.DateTimeField(null=True)
    made_available_at = models.DateTimeField(null=True)
    disputed_at = models.DateTimeField(null=True)
    dispute_reason = models.TextField(blank=True, default="")
    frozen_at = models.DateTimeField(null=True)
    release_key = models.CharField(max_length=255, blank=True, default="")
    payment_due_at = models.DateTimeField(null=True)
    hold_until_at = models.DateTimeField(null=True)

    class Meta:
        """One uncancelled escrow per milestone; shares add up to the total; no more leaves than came in."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["milestone"],
                condition=~models.Q(state=EscrowState.CANCELLED.value),
                name="payments_escrow_one_live",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    total_minor=models.F("fee_minor") + models.F("freelancer_minor"),
                    total_minor__gt=0,
                    fee_minor__gte=0,
                    freelancer_minor__gte=0,
                ),
                name="payments_escrow_shares",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    released_minor__gte=0,
                    refunded_minor__gte=0,
                    released_fee_minor__gte=0,
                    released_fee_minor__lte=models.F("released_minor"),
                    charged_back_minor__gte=0,
                    total_minor__gte=models.F("released_minor")
                    + models.F("refunded_minor")
                    + models.F("charged_back_minor"),
                ),
                name="payments_escrow_leaves_once",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    returned_minor__gte=0,
                    returned_minor__lte=models.F("released_minor"),
                    reclaimed_fee_minor__gte=0,
                    reclaimed_fee_minor__lte=models.F("released_fee_minor"),
                    netted_minor__gte=0,
                    contested_minor__gte=0,
                    reclaimed_minor__gte=0,
                    released_minor__gte=models.F("released_fee_minor")
                    + models.F("netted_minor")
                    + models.F("contested_minor")
                    + models.F("reclaimed_minor"),
                ),
                name="payments_escrow_share",
            ),
            models.CheckConstraint(
                condition=~models.Q(client=models.F("freelancer")), name="payments_escrow_two_sides"
            ),
            states_check("payments_escrow_state", EscrowState),
            currency_check("payments_escrow_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["client", "id"],
                condition=models.Q(state__in=sorted(s.value for s in HOLDING_ESCROWS)),
                name="payments_escrow_open_client",
            ),
            models.Index(
                fields=["freelancer", "id"],
                condition=models.Q(state__in=sorted(s.value for s in HOLDING_ESCROWS)),
                name="payments_escrow_open_free",
            ),
            models.Index(
                fields=["freelancer"],
                condition=models.Q(state=EscrowState.RELEASED.value, made_available_at=None),
                name="payments_escrow_unsettled",
            ),
            models.Index(
                fields=["auto_release_at"],
                condition=models.Q(state=EscrowState.FUNDED.value),
                name="payments_escrow_auto_release",
            ),
            models.Index(
                fields=["payment_due_at"],
                condition=models.Q(state=EscrowState.PENDING_PAYMENT.value),
                name="payments_escrow_payment_due",
            ),
            models.Index(
                fields=["hold_until_at"],
                condition=models.Q(state__in=sorted(s.value for s in HOLDING_ESCROWS)),
                name="payments_escrow_hold_until",
            ),
            models.Index(
                fields=["freelancer"], condition=models.Q(contested_minor__gt=0), name="payments_escrow_contested"
            ),
            # The shares that a payee has earned, in the order in which they became available.
            models.Index(
                fields=["freelancer", "currency", "made_available_at", "id"],
                include=[
                    "released_minor",
                    "released_fee_minor",
                    "netted_minor",
                    "contested_minor",
                    "reclaimed_minor",
                ],
                condition=models.Q(made_available_at__isnull=False),
                name="payments_escrow_earned",
            ),
            models.Index(fields=["client", "-id"], name="payments_escrow_client"),
            models.Index(fields=["freelancer", "-id"], name="payments_escrow_freelancer"),
        ]

    def __str__(self) -> str:
        """Return the id that both sides see."""
        return str(self.public_id)

    @property
    def escrow_state(self) -> EscrowState:
        """The state as a member of `EscrowState`."""
        return EscrowState(self.state)

    @property
    def is_on_platform(self) -> bool:
        """Whether released money stays with the platform until it is paid out: there are no transfers."""
        return self.route == RouteKind.PLATFORM.value

    @property
    def total(self) -> Money:
        """What the client pays."""
        return Money(self.total_minor, self.currency)

    @property
    def remaining(self) -> Money:
        """The amount neither released, refunded nor charged back; includes what a pending refund has reserved."""
        gone = self.released_minor + self.refunded_minor + self.charged_back_minor
        return Money(self.total_minor - gone, self.currency)

    @property
    def payee_share(self) -> Money:
        """What the payee still has of the release: pending, available, or withdrawn since."""
        taken = self.released_fee_minor + self.netted_minor + self.contested_minor + self.reclaimed_minor
        return Money(self.released_minor - taken, self.currency)

    @property
    def terms(self) -> Terms:
        """The terms frozen at creation."""
        return Terms(
            fee_basis_points=self.fee_basis_points,
            auto_release_days=self.auto_release_days,
            refund_answer_days=self.refund_answer_days,
            share_step=self.share_step,
        )


class Payment(models.Model):
    """One payment by the client at the provider; with `payer_token` the payer continues it in the browser.

    `is_refundable` is whether the provider can send money back the way it came; otherwise refunds are paid out to a
    destination of the client.
    """

    id = models.BigAutoField(primary_key=True)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(max_length=20)
    provider_payment_id = models.CharField(max_length=255, null=True)
    payer_token = models.CharField(max_length=2000, blank=True, default="")
    provider_collection_id = models.CharField(max_length=255, blank=True, default="")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = state_field(PaymentState, PaymentState.PENDING)
    provider_status = models.CharField(max_length=30, blank=True, default="")
    received_minor = models.BigIntegerField(default=0)
    received_currency = models.CharField(max_length=3, blank=True, default="")
    fee_minor = models.BigIntegerField(null=True)
    fee_currency = models.CharField(max_length=3, blank=True, default="")
    available_at = models.DateTimeField(null=True)
    failure_code = models.CharField(max_length=100, blank=True, default="")
    failure_reason = models.TextField(blank=True, default="")
    review_reason = models.TextField(blank=True, default="")
    is_refundable = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        """One row per payment at the provider; at most one pending and one succeeded payment per escrow."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_payment_id"], name="payments_payment_provider_id"),
            models.UniqueConstraint(
                fields=["escrow"],
                condition=models.Q(state=PaymentState.PENDING.value),
                name="payments_payment_one_pending",
            ),
            models.UniqueConstraint(
                fields=["escrow"],
                condition=models.Q(state=PaymentState.SUCCEEDED.value),
                name="payments_payment_one_succeeded",
            ),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_payment_positive"),
            states_check("payments_payment_state", PaymentState),
            currency_check("payments_payment_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["provider_collection_id"],
                condition=~models.Q(provider_collection_id=""),
                name="payments_payment_collection",
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state=PaymentState.REVIEW.value),
                name="payments_payment_review",
            ),
        ]

    def __str__(self) -> str:
        """Return the provider's id."""
        return self.provider_payment_id or f"payment {self.pk}"


class Refund(models.Model):
    """A refund to the client, or the client's request for one.

    `source` is where the money is taken from: the escrow, an unapplied payment, or what was released (a `Loss` then
    says who bears it). `holds_money` is true while the money of a failed refund stays in the refund's own ledger
    account, because its escrow was released meanwhile. `is_by_bank` is true for one that the platform has paid from its
    own bank account, after a card did not take it or instead of a payout. `is_outside` is true for one that was made at
    the provider without a command of ours. `booked_minor` and `booked_currency` are what the books set aside for it,
    where the payment was converted into another currency.
    """

    SOURCES = (("escrow", "escrow"), ("unapplied", "unapplied"), ("released", "released"))

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    source = models.CharField(max_length=10, choices=SOURCES, default="escrow")
    provider = models.CharField(max_length=20)
    provider_refund_id = models.CharField(max_length=255, null=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = state_field(RefundState, RefundState.PENDING)
    reason = models.CharField(max_length=100)
    note = models.TextField(blank=True, default="")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    answer_by_at = models.DateTimeField(null=True)
    answer_note = models.TextField(blank=True, default="")
    failure_code = models.CharField(max_length=100, blank=True, default="")
    failure_reason = models.TextField(blank=True, default="")
    holds_money = models.BooleanField(default=False)
    is_by_bank = models.BooleanField(default=False)
    is_outside = models.BooleanField(default=False)
    booked_minor = models.BigIntegerField(null=True)
    booked_currency = models.CharField(max_length=3, blank=True, default="")
    request_key = models.CharField(max_length=255, blank=True, default="")
    answer_key = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        """At most one requested or pending refund per escrow, so that the remaining amount is unambiguous."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "provider_refund_id"], name="payments_refund_provider_id"),
            models.UniqueConstraint(
                fields=["escrow"],
                condition=models.Q(
                    source="escrow",
                    is_outside=False,
                    state__in=[RefundState.REQUESTED.value, RefundState.PENDING.value],
                ),
                name="payments_refund_one_open",
            ),
            models.UniqueConstraint(
                fields=["requested_by", "request_key"],
                condition=~models.Q(request_key=""),
                name="payments_refund_request_key",
            ),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_refund_positive"),
            states_check("payments_refund_state", RefundState),
            currency_check("payments_refund_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["answer_by_at"],
                condition=models.Q(state=RefundState.REQUESTED.value),
                name="payments_refund_unanswered",
            ),
            models.Index(
                fields=["processed_at"],
                condition=models.Q(state=RefundState.FAILED.value),
                name="payments_refund_failed",
            ),
        ]

    def __str__(self) -> str:
        """Return the id that both sides see."""
        return str(self.public_id)

    @property
    def amount(self) -> Money:
        """The amount of the refund."""
        return Money(self.amount_minor, self.currency)

    @property
    def booked(self) -> Money:
        """The amount that the books set aside for it: the same, unless the payment was converted."""
        return self.amount if self.booked_minor is None else Money(self.booked_minor, self.booked_currency)
