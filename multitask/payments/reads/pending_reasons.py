"""Why a freelancer's pending money cannot be withdrawn yet: a date, or a reason."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import (
    BigIntegerField,
    CharField,
    DateTimeField,
    Exists,
    F,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)

from multitask.money import Money
from multitask.payments.books import shares
from multitask.payments.losses.adjustments import TRANSFER_ADJUSTMENT
from multitask.payments.models import Adjustment, ConnectedAccount, Escrow, Operation, Payment, Reversal
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.provider import RouteKind
from multitask.payments.reads import contested_reasons
from multitask.payments.reads.contested_reasons import Contests
from multitask.payments.states import EscrowState, OperationState, PaymentState

# The most amounts of each part that are listed; the balances cover all of them.
MOST: Final = 30
MOST_DISPUTES: Final = 5
_SHARE_TAKEN: Final = F("released_fee_minor") + F("netted_minor") + F("contested_minor") + F("reclaimed_minor")
_COLUMNS: Final = (
    "currency",
    "share",
    "frozen_at",
    "contests",
    "available_at",
    "is_refused",
    "is_reversed",
    "account_id",
    "is_out_of_reach",
    "route",
)
# Something of the release is still the payee's.
SHARE_LEFT: Final = Q(released_minor__gt=_SHARE_TAKEN)


class Reason(StrEnum):
    """Why money that was released cannot be withdrawn yet."""

    NO_ACCOUNT = "no_account"  # the freelancer has to create the payout account
    ENDED = "ended"  # the payout account has ended for good; the freelancer has to open a new one
    MOVING = "moving"  # it is in a former account and is brought to the new one
    OUT_OF_REACH = "out_of_reach"  # it is in an account that was closed; staff handles it
    INCOMPLETE = "incomplete"  # the freelancer has to complete the payout account
    NO_BANK = "no_bank"  # the freelancer has to add a bank account in this currency
    CHECKED = "checked"  # the provider is verifying the account
    CONTESTED = "contested"  # the payment has an open chargeback, and the bank decides
    EVIDENCE_DUE = "evidence_due"  # the payment has an open chargeback, which staff answers by a known day
    LOSS_TO_BOOK = "loss_to_book"  # the bank has kept the money; staff books who bears it
    REFUSED = "refused"  # the transfer was refused; staff handles it
    SETTLING = "settling"  # it settles at the provider on a known day
    UNDATED = "undated"  # it settles at the provider on an unknown day
    REVERSED = "reversed"  # the transfer was reversed at the provider; staff decides
    TRANSFER_AGAIN = "transfer_again"  # it is transferred to the payout account again
    ARRIVING = "arriving"  # it has settled; the next job makes it available


@dataclass(slots=True)
class PendingAmount:
    """Pending money with one reason; `at` is when it becomes available, if that is known."""

    reason: Reason
    amount: Money
    at: datetime | None
    about: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dispute:
    """An agreement about which the two sides do not agree; its money stays in escrow."""

    link: str
    title: str


@dataclass(frozen=True, slots=True)
class PendingFunds:
    """Why money is not available, and the open disputes. `is_cut`: only some of very many amounts are listed."""

    amounts: list[PendingAmount]
    disputes: list[Dispute]
    is_cut: bool


def pending_funds(*, user_id: int, account: ConnectedAccount | None, now: datetime, zone: ZoneInfo) -> PendingFunds:
    """Return a freelancer's pending and held amounts, soonest first, and the open disputes. One query."""
    return of_rows(read(user_id), account, now, zone)


def read(user_id: int) -> list[dict[str, Any]]:
    """Read a freelancer's pending and held amounts and open disputes, some of very many. One query.

    `part` of a row is waiting, held, adjusted or disputed; `share` is in minor units.
    """
    return list(_waiting(user_id).union(_disputed(user_id), _held(user_id), _adjusted(user_id), all=True))


def of_rows(
    rows: list[dict[str, Any]], account: ConnectedAccount | None, now: datetime, zone: ZoneInfo
) -> PendingFunds:
    """Return the pending and held amounts of these rows, soonest first, and the open disputes."""
    disputes = {row["agreement__link"]: _dispute(row) for row in rows if row["part"] == "disputed"}
    amounts = [row for row in rows if row["part"] != "disputed"]
    is_cut = MOST in Counter(row["part"] for row in amounts).values()
    return PendingFunds(_grouped(amounts, account, now, zone), list(disputes.values()), is_cut)


def _waiting(user_id: int) -> QuerySet[Escrow, Any]:
    """Select released escrows that are not available yet. Unordered, so that very many need no sorting."""
    escrows = Escrow.objects.filter(freelancer_id=user_id, state=EscrowState.RELEASED.value, made_available_at=None)
    return _columns(escrows.filter(SHARE_LEFT), "waiting", shares.SHARE)[:MOST]


def _disputed(user_id: int) -> QuerySet[Escrow, Any]:
    disputed = Escrow.objects.filter(freelancer_id=user_id, state=EscrowState.DISPUTED.value)
    return _columns(disputed, "disputed", shares.SHARE)[:MOST_DISPUTES]


def _held(user_id: int) -> QuerySet[Escrow, Any]:
    """Select escrows of which a part of the share is held; they are few."""
    held = Escrow.objects.filter(freelancer_id=user_id, contested_minor__gt=0)
    return _columns(held, "held", F("contested_minor"))[:MOST]


def _adjusted(user_id: int) -> QuerySet[Adjustment, Any]:
    """Select adjustments that are not available yet, with the columns of the others."""
    text, moment = Value("", output_field=CharField()), Value(None, output_field=DateTimeField())
    found: QuerySet[Adjustment, Any] = (
        pending_adjustments(user_id)
        .annotate(
            part=Value("adjusted", output_field=CharField()),
            available_at=moment,
            link=text,
            title=text,
            frozen_at=moment,
            contests=Value(None, output_field=JSONField()),
            is_reversed=Value(False),
            account_id=Value(None, output_field=BigIntegerField()),
            is_out_of_reach=Value(False),
        )
        .values("part", "link", "title", *_COLUMNS)[:MOST]
    )
    return found


def pending_adjustments(user_id: int) -> QuerySet[Adjustment, Any]:
    """Select a person's adjustments that are not available yet, with `share` and `is_refused`."""
    transfers = Operation.objects.filter(kind=TRANSFER_ADJUSTMENT, subject_id=OuterRef("pk"))
    return Adjustment.objects.filter(user_id=user_id, made_available_at=None, amount_minor__gt=0).annotate(
        share=F("amount_minor") - F("netted_minor") - F("reversed_minor"),
        is_refused=Exists(transfers.filter(state=OperationState.FAILED.value))
        & ~Exists(transfers.exclude(state=OperationState.FAILED.value)),
    )


def _columns(escrows: QuerySet[Escrow], part: str, amount: Any) -> QuerySet[Escrow, Any]:
    undecided = Reversal.objects.filter(escrow=OuterRef("pk"), is_decided=False)
    found: QuerySet[Escrow, Any] = escrows.annotate(
        part=Value(part, output_field=CharField()),
        share=amount,
        contests=contested_reasons.expression(),
        available_at=settles_at(),
        is_refused=is_refused(),
        is_reversed=Exists(undecided) if part == "held" else Value(False),
        **of_account(),
    ).values("part", "agreement__link", "agreement__title", *_COLUMNS)
    return found


def of_account() -> dict[str, Any]:
    """Return the expressions, for escrows, of the account that a share went to, and whether it is closed."""
    transfers = Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=OuterRef("pk"))
    arrived = transfers.filter(state=OperationState.SUCCEEDED.value).order_by("-sequence")
    return {
        "account_id": Subquery(arrived.values("account_id")[:1]),
        "is_out_of_reach": Subquery(arrived.values("account__closed")[:1]),
    }


def settles_at() -> Subquery:
    """Return the expression, for a query of escrows, of when the payment's funds settle at the provider."""
    paid = Payment.objects.filter(escrow=OuterRef("pk"), state=PaymentState.SUCCEEDED.value)
    return Subquery(paid.values("available_at")[:1])


def is_refused() -> Any:
    """Return the condition, for a query of escrows, that the provider has refused the transfer of the share."""
    transfers = Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=OuterRef("pk"))
    return Exists(transfers.filter(state=OperationState.FAILED.value)) & ~Exists(
        transfers.exclude(state=OperationState.FAILED.value)
    )


def _dispute(row: dict[str, Any]) -> Dispute:
    return Dispute(row["agreement__link"], row["agreement__title"])


def _grouped(
    rows: list[dict[str, Any]], account: ConnectedAccount | None, now: datetime, zone: ZoneInfo
) -> list[PendingAmount]:
    """Sum amounts that have the same reason and become available on the same day."""
    groups: dict[tuple[Reason, str, date | None], PendingAmount] = {}
    for row in rows:
        reason = reason_of_row(row, account, now)
        at = row["available_at"] if reason is Reason.SETTLING else None
        key = (reason, row["currency"], at.astimezone(zone).date() if at else None)
        pending = groups.setdefault(key, PendingAmount(reason, Money.zero(row["currency"]), at))
        pending.amount += Money(row["share"], row["currency"])
        pending.at = max(pending.at, at) if pending.at and at else at
        if row["agreement__link"]:
            pending.about.append((row["agreement__link"], row["agreement__title"]))
    return sorted(groups.values(), key=lambda pending: (pending.at is not None, pending.at or now))


def reason_of_row(row: dict[str, Any], account: ConnectedAccount | None, now: datetime) -> Reason:
    """Return why the amount of a row that `read` returned is not available."""
    is_frozen = row["frozen_at"] is not None
    if row["part"] == "held":
        return reason_of_held(row["contests"], now, is_frozen=is_frozen, is_reversed=row["is_reversed"])
    share = PendingShare(
        currency=row["currency"],
        settles_at=row["available_at"],
        is_frozen=is_frozen,
        contests=row["contests"],
        is_refused=row["is_refused"],
        account_id=row["account_id"],
        is_out_of_reach=bool(row["is_out_of_reach"]),
        is_on_platform=row["route"] == RouteKind.PLATFORM.value,
    )
    return reason_of(share, account, now)


def until(reason: str, *, settles_at: datetime | None, contests: Contests | None, now: datetime) -> datetime | None:
    """Return when a reason ends by itself, if that is known."""
    if reason == Reason.SETTLING.value:
        return settles_at
    return contested_reasons.of(contests, now).until if reason == Reason.EVIDENCE_DUE.value else None


def reason_of_held(contests: Contests | None, now: datetime, *, is_frozen: bool, is_reversed: bool) -> Reason:
    """Return why a part of a released share is held."""
    if is_frozen:
        return Reason(contested_reasons.of(contests, now).reason.value)
    return Reason.REVERSED if is_reversed else Reason.TRANSFER_AGAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingShare:
    """What decides why a released share is not available; `account_id` is the account that it was transferred to.

    On a platform route nothing is transferred, and no account is needed.
    """

    currency: str
    settles_at: datetime | None
    is_frozen: bool
    is_refused: bool
    account_id: int | None
    is_out_of_reach: bool
    is_on_platform: bool = False
    contests: Contests | None = None


def reason_of(share: PendingShare, account: ConnectedAccount | None, now: datetime) -> Reason:
    """Return why a released share is not available yet."""
    if share.is_frozen:
        return Reason(contested_reasons.of(share.contests, now).reason.value)
    if share.is_on_platform:
        return Reason.ARRIVING
    return Reason.NO_ACCOUNT if account is None else _reason_at(account, share, now)


def _reason_at(account: ConnectedAccount, share: PendingShare, now: datetime) -> Reason:
    """Return why a share is not available in the payee's account at the provider."""
    if share.is_out_of_reach:
        return Reason.OUT_OF_REACH
    if account.is_final:
        return Reason.ENDED
    if share.account_id not in {None, account.pk}:
        return Reason.MOVING
    if not account.can_receive:
        return reason_of_incomplete(account)
    if share.is_refused:
        return Reason.REFUSED
    if not account.has_bank_for(share.currency):
        return Reason.NO_BANK
    if share.settles_at is None:
        return Reason.UNDATED
    return Reason.SETTLING if share.settles_at > now else Reason.ARRIVING


def reason_of_incomplete(account: ConnectedAccount) -> Reason:
    """Return whether the owner or the provider has the next step on an account that does not work yet, or any more."""
    return Reason.INCOMPLETE if _is_theirs(account) else Reason.CHECKED


def _is_theirs(account: ConnectedAccount) -> bool:
    """Return whether the next step on the account is the freelancer's, not the provider's."""
    return not account.details_submitted or bool(account.requirements.get("currently_due"))
