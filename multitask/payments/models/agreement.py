"""Agreements: who pays whom for what, in milestones."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from multitask.money import Money
from multitask.payments.models.fields import currency_check, state_field, states_check
from multitask.payments.provider import RouteKind
from multitask.payments.states import CLOSED_MILESTONES, MilestoneState
from multitask.payments.terms import Terms

TITLE_MAX = 200


class Agreement(models.Model):
    """What a payer and a payee have agreed on. Currency, terms and route never change.

    `reference` is the name that the code which opened it uses, such as `task:12`; `link` is the path of the page on
    which both sides see it.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    payee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=TITLE_MAX)
    reference = models.CharField(max_length=200)
    link = models.CharField(max_length=300, blank=True, default="")
    provider = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    fee_basis_points = models.IntegerField()
    auto_release_days = models.SmallIntegerField()
    refund_answer_days = models.SmallIntegerField()
    share_step = models.SmallIntegerField(default=1)
    route = models.CharField(max_length=10, default=RouteKind.CONNECTED.value)
    created_at = models.DateTimeField()

    class Meta:
        """One agreement per reference; payer and payee are different users."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["reference"], name="payments_agreement_reference"),
            models.CheckConstraint(condition=~models.Q(payer=models.F("payee")), name="payments_agreement_two_sides"),
            currency_check("payments_agreement_currency"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["payer", "-id"], name="payments_agreement_payer"),
            models.Index(fields=["payee", "-id"], name="payments_agreement_payee"),
        ]

    def __str__(self) -> str:
        """Return the title."""
        return self.title

    @property
    def terms(self) -> Terms:
        """The terms, frozen when the agreement was opened."""
        return Terms(
            fee_basis_points=self.fee_basis_points,
            auto_release_days=self.auto_release_days,
            refund_answer_days=self.refund_answer_days,
            share_step=self.share_step,
        )


class Milestone(models.Model):
    """One part of an agreement's work, with its price; it is funded, delivered and released on its own.

    All commands on a milestone and its escrow lock this row first, so that they run one after the other.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, db_index=False, related_name="milestones")
    position = models.SmallIntegerField(default=1)
    title = models.CharField(max_length=TITLE_MAX)
    amount_minor = models.BigIntegerField()
    state = state_field(MilestoneState, MilestoneState.AGREED)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        """Milestones of an agreement have distinct positions; their prices are positive."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["agreement", "position"], name="payments_milestone_position"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payments_milestone_positive"),
            models.CheckConstraint(
                condition=models.Q(state=MilestoneState.COMPLETED.value, completed_at__isnull=False)
                | (~models.Q(state=MilestoneState.COMPLETED.value) & models.Q(completed_at=None)),
                name="payments_milestone_completed_at",
            ),
            models.CheckConstraint(
                condition=models.Q(state=MilestoneState.CANCELLED.value, cancelled_at__isnull=False)
                | (~models.Q(state=MilestoneState.CANCELLED.value) & models.Q(cancelled_at=None)),
                name="payments_milestone_cancelled_at",
            ),
            states_check("payments_milestone_state", MilestoneState),
        ]

    def __str__(self) -> str:
        """Return the title."""
        return self.title

    @property
    def amount(self) -> Money:
        """The agreed price; needs the agreement, for its currency."""
        return Money(self.amount_minor, self.agreement.currency)

    @property
    def is_closed(self) -> bool:
        """Return whether it is completed or cancelled."""
        return self.milestone_state in CLOSED_MILESTONES

    @property
    def milestone_state(self) -> MilestoneState:
        """The state as a member of `MilestoneState`."""
        return MilestoneState(self.state)
