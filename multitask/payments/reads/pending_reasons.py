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

    NO_ACCOUNT = "no_account"  # the freelancer sets the payout account up
    INCOMPLETE = "incomplete"  # the freelancer finishes setting it up
    NO_BANK = "no_bank"  # the freelancer adds a bank account in this currency
    CHECKED = "checked"  # the provider looks at what was sent
    CONTESTED = "contested"  # a chargeback holds it
    REFUSED = "refused"  # the transfer was refused; staff looks at it
    SETTLING = "settling"  # it settles at the provider, on a known day
    UNDATED = "undated"  # it settles at the provider, which has not said when
    ARRIVING = "arriving"  # the day has come; the rest is a matter of minutes


@dataclass(slots=True)
class Hold:
    """Pending money that waits for one thing; `at` is when it becomes available, where that is known."""

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
class Standing:
    """Why money is not available, and what blocks withdrawals."""

    holds: list[Hold]
    blocks: list[Block]
    is_cut: bool


def standing(*, user_id: int, account: ConnectedAccount | None, now: datetime, zone: ZoneInfo) -> Standing:
    """Return what a freelancer's pending money waits for, soonest first, and what blocks withdrawals. One query."""
    rows = list(_waiting(user_id).union(_disputed(user_id), _contested(user_id), all=True))
    waiting = [row for row in rows if row["part"] == "waiting"]
    blocks = {row["agreement__link"]: _block(row) for row in rows if row["part"] != "waiting"}
    return Standing(_grouped(waiting, account, now, zone), list(blocks.values()), len(waiting) == MOST)


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


def _grouped(rows: list[dict[str, Any]], account: ConnectedAccount | None, now: datetime, zone: ZoneInfo) -> list[Hold]:
    """Add up what waits for the same reason and becomes available on the same day."""
    groups: dict[tuple[Reason, str, date | None], Hold] = {}
    for row in rows:
        reason = _reason(row, account, now)
        at = row["available_at"] if reason is Reason.SETTLING else None
        key = (reason, row["currency"], at.astimezone(zone).date() if at else None)
        hold = groups.setdefault(key, Hold(reason, Money.zero(row["currency"]), at))
        hold.amount += Money(row["share"], row["currency"])
        hold.at = max(hold.at, at) if hold.at and at else at
        hold.about.append((row["agreement__link"], row["agreement__title"]))
    return sorted(groups.values(), key=lambda hold: (hold.at is not None, hold.at or now))


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
