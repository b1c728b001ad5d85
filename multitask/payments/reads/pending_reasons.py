"""Why a freelancer's pending money cannot be withdrawn yet: a date, or a reason."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Subquery, Value

from multitask.money import Money
from multitask.payments.losses.chargebacks import HARMLESS
from multitask.payments.models import Chargeback, ConnectedAccount, Escrow, Operation, Payment
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import EscrowState, OperationState, PaymentState

# The most escrows that are listed; the balance covers all of them.
MOST: Final = 30
MOST_DISPUTES: Final = 5


class Reason(StrEnum):
    """Why money that was released cannot be withdrawn yet."""

    NO_ACCOUNT = "no_account"  # the freelancer has to create the payout account
    INCOMPLETE = "incomplete"  # the freelancer has to complete the payout account
    NO_BANK = "no_bank"  # the freelancer has to add a bank account in this currency
    CHECKED = "checked"  # the provider is verifying the account
    CONTESTED = "contested"  # the payment has an open chargeback
    REFUSED = "refused"  # the transfer was refused; staff handles it
    SETTLING = "settling"  # it settles at the provider on a known day
    UNDATED = "undated"  # it settles at the provider on an unknown day
    ARRIVING = "arriving"  # it has settled; the next job makes it available


@dataclass(slots=True)
class PendingAmount:
    """Pending money with one reason; `at` is when it becomes available, if that is known."""

    reason: Reason
    amount: Money
    at: datetime | None
    about: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """An agreement whose dispute or chargeback stops all withdrawals."""

    link: str
    title: str
    is_chargeback: bool


@dataclass(frozen=True, slots=True)
class PendingFunds:
    """Why money is not available, and what blocks withdrawals."""

    amounts: list[PendingAmount]
    blocks: list[Block]
    is_cut: bool


def pending_funds(*, user_id: int, account: ConnectedAccount | None, now: datetime, zone: ZoneInfo) -> PendingFunds:
    """Return a freelancer's pending amounts, soonest first, and what blocks withdrawals. One query."""
    rows = list(_waiting(user_id).union(_disputed(user_id), _contested(user_id), all=True))
    waiting = [row for row in rows if row["part"] == "waiting"]
    blocks = {row["agreement__link"]: _block(row) for row in rows if row["part"] != "waiting"}
    return PendingFunds(_grouped(waiting, account, now, zone), list(blocks.values()), len(waiting) == MOST)


def _waiting(user_id: int) -> QuerySet[Escrow, Any]:
    """Select released escrows that are not available yet. Unordered, so that very many need no sorting."""
    escrows = Escrow.objects.filter(freelancer_id=user_id, state=EscrowState.RELEASED.value, made_available_at=None)
    return _columns(escrows, "waiting")[:MOST]


def _disputed(user_id: int) -> QuerySet[Escrow, Any]:
    disputed = Escrow.objects.filter(freelancer_id=user_id, state=EscrowState.DISPUTED.value)
    return _columns(disputed, "disputed")[:MOST_DISPUTES]


def _contested(user_id: int) -> QuerySet[Escrow, Any]:
    """Select escrows with an open chargeback, starting from the chargebacks, which are few."""
    open_ones = Chargeback.objects.exclude(status__in=HARMLESS).values("escrow_id")
    contested = Escrow.objects.filter(pk__in=open_ones, freelancer_id=user_id, frozen_at__isnull=False)
    return _columns(contested, "contested")[:MOST_DISPUTES]


def _columns(escrows: QuerySet[Escrow], part: str) -> QuerySet[Escrow, Any]:
    paid = Payment.objects.filter(escrow=OuterRef("pk"), state=PaymentState.SUCCEEDED.value)
    transfers = Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=OuterRef("pk"))
    return escrows.annotate(
        part=Value(part, output_field=CharField()),
        share=F("released_minor") - F("released_fee_minor"),
        available_at=Subquery(paid.values("available_at")[:1]),
        is_refused=Exists(transfers.filter(state=OperationState.FAILED.value))
        & ~Exists(transfers.exclude(state=OperationState.FAILED.value)),
    ).values(
        "part", "agreement__link", "agreement__title", "currency", "share", "frozen_at", "available_at", "is_refused"
    )


def _block(row: dict[str, Any]) -> Block:
    return Block(row["agreement__link"], row["agreement__title"], row["part"] == "contested")


def _grouped(
    rows: list[dict[str, Any]], account: ConnectedAccount | None, now: datetime, zone: ZoneInfo
) -> list[PendingAmount]:
    """Sum amounts that have the same reason and become available on the same day."""
    groups: dict[tuple[Reason, str, date | None], PendingAmount] = {}
    for row in rows:
        reason = _reason(row, account, now)
        at = row["available_at"] if reason is Reason.SETTLING else None
        key = (reason, row["currency"], at.astimezone(zone).date() if at else None)
        pending = groups.setdefault(key, PendingAmount(reason, Money.zero(row["currency"]), at))
        pending.amount += Money(row["share"], row["currency"])
        pending.at = max(pending.at, at) if pending.at and at else at
        pending.about.append((row["agreement__link"], row["agreement__title"]))
    return sorted(groups.values(), key=lambda pending: (pending.at is not None, pending.at or now))


def _reason(row: dict[str, Any], account: ConnectedAccount | None, now: datetime) -> Reason:
    if row["frozen_at"] is not None:
        return Reason.CONTESTED
    if account is None:
        return Reason.NO_ACCOUNT
    if not account.can_receive:
        return Reason.INCOMPLETE if _is_theirs(account) else Reason.CHECKED
    if row["is_refused"]:
        return Reason.REFUSED
    if not account.has_bank_for(row["currency"]):
        return Reason.NO_BANK
    if row["available_at"] is None:
        return Reason.UNDATED
    return Reason.SETTLING if row["available_at"] > now else Reason.ARRIVING


def _is_theirs(account: ConnectedAccount) -> bool:
    """Return whether the next step on the account is the freelancer's, not the provider's."""
    return not account.details_submitted or bool(account.requirements.get("currently_due"))
